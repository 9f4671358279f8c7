"""The controls that every cloud's stack carries, checked on the synthesized JSON before it is planned."""

from isocenter_infra.parity.check import Gap, check_parity
from isocenter_infra.parity.controls import CONTROLS, Control

__all__ = ["CONTROLS", "Control", "Gap", "check_parity"]
