"""The verbs that `make` calls: one a file."""
