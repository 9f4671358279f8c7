"""The stack on Amazon Web Services, one concern a file."""
