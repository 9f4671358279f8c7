"""Isocenter's infrastructure stacks."""

__version__ = "0.1.0"
