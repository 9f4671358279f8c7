"""The gate that the settings ask for."""

from isocenter_serving.access.base import Gate
from isocenter_serving.access.settings import AccessSettings


def open_gate(settings: AccessSettings) -> Gate:
    """A gate; tokens' keys are fetched with the first request."""
    if settings.fronted:
        from isocenter_serving.access.fronted import FrontedGate

        return FrontedGate(settings.fronted)
    from isocenter_serving.access.tokens import TokenGate

    return TokenGate(settings)
