"""Targets: the named places to train or serve that a store knows."""

from isocenter.targets.catalogue import find_target, list_targets
from isocenter.targets.target import Target

__all__ = ["Target", "find_target", "list_targets"]
