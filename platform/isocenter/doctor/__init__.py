"""What this machine has and lacks for Isocenter's work."""

from isocenter.doctor.check import Check, CheckState
from isocenter.doctor.examination import examine

__all__ = ["Check", "CheckState", "examine"]
