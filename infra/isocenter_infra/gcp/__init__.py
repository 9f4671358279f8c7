"""The stack on Google Cloud, one concern a file."""
