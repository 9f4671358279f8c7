"""Azure on this machine: Azure ML's REST interface, and Azurite for the blobs."""
