"""Whose tokens a local endpoint takes: the settings that its serving processes get for that."""

from collections.abc import Mapping

from isocenter.home import Home


def access_environment(home: Home, endpoint: str) -> Mapping[str, str]:
    """Variables by which the serving processes of ``endpoint`` know whose tokens to take.

    The development issuer's settings go here. Without any, the serving program doesn't start: an endpoint is
    never an open door.

    Args:
        home: the store, which holds the issuer's key.
        endpoint: the audience of its tokens.
    """
    return {}
