"""Who acts: the name that audit records, approvals and alias moves carry."""

import os

from isocenter.errors import InputError

_LONGEST = 128


def current_actor() -> str:
    """``$ISOCENTER_ACTOR``, else the operating system's user.

    Raises:
        InputError: the name is longer than 128 characters or holds control characters.
    """
    actor = os.environ.get("ISOCENTER_ACTOR", "").strip() or _system_user()
    if len(actor) > _LONGEST or not actor.isprintable():
        raise InputError(
            f"The actor's name must be printable and at most {_LONGEST} characters long.",
            hint="Set ISOCENTER_ACTOR to a user name or a service's name.",
        )
    return actor


def _system_user() -> str:
    import pwd

    user = os.geteuid()
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"uid:{user}"
