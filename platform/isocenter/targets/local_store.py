"""The embedded target ``local``: what its directory holds. Nothing is made by looking."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from isocenter.doctor.store import existing_database
from isocenter.errors import IsocenterError
from isocenter.home import Home, find_home, home_path
from isocenter.targets.probe import Probe

_NOT_YET = "not there yet: make deploy CLOUD=local makes it, as does the first command that needs it"


def probe_local() -> tuple[Probe, ...]:
    """The store's directory, key, database and audit trail, each with what was found of it."""
    return tuple(_probes())


def _probes() -> Iterator[Probe]:
    root = home_path()
    try:
        home = find_home()
    except IsocenterError as error:
        yield Probe("directory", False, f"{error.message} {error.hint}")
        return
    if home is None:
        yield Probe("directory", False, f"{root}: {_NOT_YET}")
        return
    yield Probe("directory", True, str(root))
    for what, look in {"key": _key, "database": _database, "audit trail": _audit_trail}.items():
        yield _probe(what, look, home)


def _probe(what: str, look: Callable[[Home], str], home: Home) -> Probe:
    try:
        found = look(home)
    except IsocenterError as error:
        return Probe(what, False, f"{error.message} {error.hint}".rstrip())
    return Probe(what, bool(found), found or _NOT_YET)


def _key(home: Home) -> str:
    path = Path(os.environ.get("ISOCENTER_SITE_SECRET_FILE") or home.root / "site.secret")
    if not path.exists():
        return ""
    home.site_secret()
    return f"{path}, from which pseudonyms are made: keep a copy of it"


def _database(home: Home) -> str:
    database = existing_database(home)
    if database is None:
        return ""
    database.close()
    return f"SQLite, {home.root / 'records.db'}" if database.is_sqlite else "PostgreSQL"


def _audit_trail(home: Home) -> str:
    from isocenter.audit import AuditTrail

    database = existing_database(home)
    if database is None:
        return ""
    try:
        head = AuditTrail(home, database).sign_head()
    finally:
        database.close()
    return "empty so far" if head is None else f"{head.tree_size} records under a signed head"
