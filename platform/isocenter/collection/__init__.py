"""What serving programs keep for the platform: denials go into the audit trail, features to the target."""

from isocenter.collection.collecting import Collected, collect

__all__ = ["Collected", "collect"]
