"""Handing compiled pipelines to services, and seeing where their steps are: one file a service."""
