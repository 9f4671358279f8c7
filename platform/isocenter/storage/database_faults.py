"""What a database driver's exception means to the user, without a password or a parameter in the text."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError, TimeoutError

from isocenter.errors import EnvironmentFaultError, IntegrityError, IsocenterError

_SQLITE_FAULTS: tuple[tuple[str, type[IsocenterError], str, str], ...] = (
    (
        "readonly",
        EnvironmentFaultError,
        "can't be written",
        "Make the file and its directory writable, or set ISOCENTER_HOME elsewhere.",
    ),
    (
        "unable to open",
        EnvironmentFaultError,
        "can't be opened",
        "Check that its directory exists and may be read and written.",
    ),
    (
        "locked",
        EnvironmentFaultError,
        "stayed locked by another process",
        "See what else uses this store, then run the same command again.",
    ),
    (
        "full",
        EnvironmentFaultError,
        "can't grow: the disk is full",
        "Free some space, then run the same command again.",
    ),
    ("not a database", IntegrityError, "is not an SQLite file or is damaged", "Restore it from a backup."),
    ("malformed", IntegrityError, "is damaged", "Restore it from a backup."),
)


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn the driver's operational exceptions inside the block into ours.

    Constraint violations and wrong SQL pass unchanged: they are for the caller, or are defects.

    Raises:
        EnvironmentFaultError: unreachable, locked, read-only or full.
        IntegrityError: the database file is damaged.
    """
    try:
        yield
    except DBAPIError as error:
        if type(error) not in (OperationalError, DatabaseError, InterfaceError):
            raise
        raise _fault(url, error) from error
    except TimeoutError as error:
        raise EnvironmentFaultError("No free connection to the records database.") from error


def _fault(url: URL, error: DBAPIError) -> IsocenterError:
    text = str(error.orig)
    if url.get_backend_name() == "sqlite":
        for sign, kind, says, hint in _SQLITE_FAULTS:
            if sign in text:
                return kind(f"The records database {url.database} {says}.", hint=hint)
    place = url.database if url.get_backend_name() == "sqlite" else _server(url)
    return EnvironmentFaultError(
        f"The records database {place} failed: {_clean(text, url)}",
        hint="Check ISOCENTER_DATABASE_URL and that the server is up." if url.host else "",
    )


def _server(url: URL) -> str:
    port = f":{url.port}" if url.port else ""
    return f"{url.database!r} at {url.host or 'the local socket'}{port}"


def _clean(text: str, url: URL) -> str:
    first = (text.strip().splitlines() or ["no reason given"])[0]
    return first.replace(str(url.password), "***") if url.password else first
