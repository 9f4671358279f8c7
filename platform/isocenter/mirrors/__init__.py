"""Copies of our ModelVersions in the targets' own model registries; the registry at home decides."""

from isocenter.mirrors.base import Mirror, MirroredVersion

__all__ = ["Mirror", "MirroredVersion"]
