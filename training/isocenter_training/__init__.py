"""What runs inside the training container."""

__version__ = "0.1.0"
