"""Who may ask: tokens of an issuer, or a cloud that has asked before us. There is no open door."""

from isocenter_serving.access.base import Caller, Denied, Gate, Scope
from isocenter_serving.access.opening import open_gate
from isocenter_serving.access.settings import AccessSettings

__all__ = ["AccessSettings", "Caller", "Denied", "Gate", "Scope", "open_gate"]
