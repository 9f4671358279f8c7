"""The stack in a hospital's own Kubernetes, one concern a file."""
