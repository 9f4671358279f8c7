"""The stack on Microsoft Azure, one concern a file."""
