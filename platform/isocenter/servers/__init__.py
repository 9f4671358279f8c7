"""Adapters to the services that serve models; one file each, loaded by name."""

from isocenter.servers.base import Capability, Server, load_server

__all__ = ["Capability", "Server", "load_server"]
