"""Emulated clouds: a local server that answers as the cloud, and what of a stack it can't hold."""
