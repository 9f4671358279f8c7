"""The store: writable, with room, its database reachable, its keys there. Where none is, none is made."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.doctor.check import Check, missing, ok, warning
from isocenter.errors import IsocenterError
from isocenter.home import Home, find_home, home_path

if TYPE_CHECKING:
    from isocenter.storage.database import Database

_GIB = 2**30
_LEAST = 1 * _GIB
_COMFORTABLE = 10 * _GIB
_NOTHING_YET = "nothing is recorded yet"


def check_store() -> Check:
    """The store's directory can be written; where there is none, it could be made."""
    try:
        home = find_home()
    except IsocenterError as error:
        return missing("store", error.message, error.hint, required=True)
    return (
        _store_to_be(home_path()) if home is None else ok("store", f"{home.root} is writable", required=True)
    )


def _store_to_be(path: Path) -> Check:
    try:
        with tempfile.TemporaryDirectory(dir=_nearest_folder(path), prefix=".isocenter-doctor-"):
            return ok(
                "store", f"no store yet at {path}; the first command that needs one makes it", required=True
            )
    except OSError as error:
        remedy = "Set ISOCENTER_HOME to a writable directory."
        return missing(
            "store", f"no store yet at {path}, and none can be made: {error.strerror}", remedy, required=True
        )


def _nearest_folder(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def check_disk() -> Check:
    """Free space where the store is, or would be."""
    try:
        free = shutil.disk_usage(_nearest_folder(home_path())).free
    except OSError:
        return missing("disk space", "unknown: the disk can't be asked", "see store", required=True)
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
    try:
        database = existing_database(Home(home_path()))
    except IsocenterError as error:
        return missing("database", error.message, error.hint, required=True)
    if database is None:
        return ok("database", _NOTHING_YET, required=True)
    return ok("database", "SQLite in the store" if database.is_sqlite else "PostgreSQL", required=True)


def check_audit_key() -> Check:
    """The audit trail's newest head is signed by this machine's key."""
    from isocenter.audit import AuditTrail

    try:
        home = Home(home_path())
        database = existing_database(home)
        head = None if database is None else AuditTrail(home, database).sign_head()
    except IsocenterError as error:
        return missing("audit trail", error.message, error.hint, required=True)
    if head is None:
        return ok("audit trail", "empty so far", required=True)
    return ok("audit trail", f"{head.tree_size} records under a signed head", required=True)


def existing_database(home: Home) -> "Database | None":
    """The store's database; None where there is none yet or it is empty, for opening it would make tables.

    Raises:
        EnvironmentFaultError, IntegrityError: as of ``open_database``.
    """
    from isocenter.storage.database import Database, open_database, schema_revision
    from isocenter.storage.database_faults import explained
    from isocenter.storage.engine import make_engine

    if not os.environ.get("ISOCENTER_DATABASE_URL") and not (home.root / "records.db").exists():
        return None
    database = Database(make_engine(home.database_url))
    with explained(database.engine.url):
        empty = schema_revision(database) is None
    database.close()
    return None if empty else open_database(home)
