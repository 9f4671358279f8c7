"""Adapters to the services that run jobs; one file each, loaded by name."""

from isocenter.backends.base import Backend, Capability, load_backend

__all__ = ["Backend", "Capability", "load_backend"]
