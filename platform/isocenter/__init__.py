"""Isocenter: one job, one container, one model record, reached from any cloud."""

__version__ = "0.1.0"
