"""The store: writable, with room, its database reachable, its keys there."""

import shutil

from isocenter.doctor.check import Check, missing, ok, warning
from isocenter.errors import IsocenterError
from isocenter.home import open_home

_GIB = 2**30
_LEAST = 1 * _GIB
_COMFORTABLE = 10 * _GIB


def check_store() -> Check:
    """The store's directory can be made and written."""
    try:
        home = open_home()
    except IsocenterError as error:
        return missing("store", error.message, error.hint, required=True)
    return ok("store", f"{home.root} is writable", required=True)


def check_disk() -> Check:
    """Free space where the store is."""
    try:
        free = shutil.disk_usage(open_home().root).free
    except (IsocenterError, OSError):
        return missing("disk space", "unknown: there is no store", "see store", required=True)
    text = f"{free / _GIB:.1f} GiB free"
    if free < _LEAST:
        return missing(
            "disk space", text, "free at least 1 GiB, or set ISOCENTER_HOME elsewhere", required=True
        )
    if free < _COMFORTABLE:
        return warning(
            "disk space", text, "a 2048 x 2048 archive of 10,000 files wants 10 GiB", required=True
        )
    return ok("disk space", text, required=True)


def check_database() -> Check:
    """The records can be opened, and their schema is the one that this code knows."""
    from isocenter.storage.database import open_database

    try:
        home = open_home()
        database = open_database(home)
        with database.read():
            pass
    except IsocenterError as error:
        return missing("database", error.message, error.hint, required=True)
    return ok("database", "SQLite in the store" if database.is_sqlite else "PostgreSQL", required=True)


def check_audit_key() -> Check:
    """The audit trail's newest head is signed by this machine's key."""
    from isocenter.audit import AuditTrail
    from isocenter.storage.database import open_database

    try:
        home = open_home()
        head = AuditTrail(home, open_database(home)).sign_head()
    except IsocenterError as error:
        return missing("audit trail", error.message, error.hint, required=True)
    if head is None:
        return ok("audit trail", "empty so far", required=True)
    return ok("audit trail", f"{head.tree_size} records under a signed head", required=True)
