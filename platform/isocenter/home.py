"""Where one Isocenter store lives on disk, and the secret that belongs to it.

The store's directory is ``$ISOCENTER_HOME``, else ``.isocenter`` in the user's home directory.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from isocenter.errors import EnvironmentFaultError
from isocenter.storage.atomic import write_bytes_once

_SECRET_BYTES = 32


@dataclass(frozen=True)
class Home:
    """The store's directory and the names of what lies in it."""

    root: Path

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL: ``$ISOCENTER_DATABASE_URL``, else SQLite inside the store."""
        return os.environ.get("ISOCENTER_DATABASE_URL") or f"sqlite:///{self.root / 'records.db'}"

    @property
    def artifacts(self) -> Path:
        """Content-addressed file sets."""
        return self.root / "artifacts"

    @property
    def datasets(self) -> Path:
        """One directory a DatasetVersion, named by its digest."""
        return self.root / "datasets"

    @property
    def ingests(self) -> Path:
        """Work in progress and ledgers of ingests."""
        return self.root / "ingests"

    @property
    def runs(self) -> Path:
        """One directory a run, named by its id."""
        return self.root / "runs"

    @property
    def audit(self) -> Path:
        """Signed tree heads and the keys that sign them."""
        return self.root / "audit"

    @property
    def lineage(self) -> Path:
        """OpenLineage run events as JSON lines."""
        return self.root / "lineage.jsonl"

    @property
    def residency(self) -> str | None:
        """Zone that this store's data must stay in: ``$ISOCENTER_RESIDENCY``; None where none is set."""
        return os.environ.get("ISOCENTER_RESIDENCY") or None

    @property
    def locks(self) -> Path:
        """Lock files; empty ones may be deleted when nothing runs."""
        return self.root / "locks"

    def site_secret(self) -> bytes:
        """The 32-byte key under which identifiers become pseudonyms; made on first use, mode 0600.

        ``$ISOCENTER_SITE_SECRET_FILE`` names a file that holds it elsewhere.

        Raises:
            EnvironmentFaultError: the file is there but is not 32 bytes long or can't be read.
        """
        path = Path(os.environ.get("ISOCENTER_SITE_SECRET_FILE") or self.root / "site.secret")
        write_bytes_once(path, lambda: secrets.token_bytes(_SECRET_BYTES), mode=0o600)
        try:
            secret = path.read_bytes()
        except OSError as error:
            raise EnvironmentFaultError(f"The site secret can't be read: {error.strerror}.") from error
        if len(secret) != _SECRET_BYTES:
            raise EnvironmentFaultError(
                f"The site secret holds {len(secret)} bytes instead of {_SECRET_BYTES}.",
                hint="Restore it from its backup: with another secret, patients get new pseudonyms.",
            )
        return secret


def open_home(root: Path | None = None) -> Home:
    """The store at ``root`` (default: see the module's docstring), created with mode 0700 if absent.

    Raises:
        EnvironmentFaultError: the directory can't be made or written.
    """
    chosen = home_path(root)
    try:
        chosen.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFaultError(
            f"The store {chosen} can't be made: {error.strerror}.",
            hint="Set ISOCENTER_HOME to a writable directory.",
        ) from error
    return _writable(chosen)


def find_home(root: Path | None = None) -> Home | None:
    """The store at ``root`` (default: see the module's docstring) if there is one; nothing is made.

    Raises:
        EnvironmentFaultError: the directory is there and can't be written.
    """
    chosen = home_path(root)
    return _writable(chosen) if chosen.is_dir() else None


def home_path(root: Path | None = None) -> Path:
    """Where the store is, or would be made."""
    chosen = root or Path(os.environ.get("ISOCENTER_HOME") or Path.home() / ".isocenter")
    return chosen.expanduser().absolute()


def _writable(root: Path) -> Home:
    if not os.access(root, os.W_OK | os.X_OK):
        raise EnvironmentFaultError(
            f"The store {root} is not writable.", hint="Set ISOCENTER_HOME to a writable directory."
        )
    return Home(root)
