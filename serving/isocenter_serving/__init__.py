"""What runs inside the serving container."""

__version__ = "0.1.0"
