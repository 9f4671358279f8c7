"""What the last ingest of a dataset counted. Facts about the work, not the content: never in the digest."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from isocenter.storage.atomic import write_bytes

FACTS_NAME = "ingest.json"
_LAST_NAME = "last.json"


class IngestFacts(BaseModel):
    """Counts of one ingest; see ``IngestResult`` for their meaning."""

    model_config = ConfigDict(frozen=True)

    ingested_at: datetime
    image_size: int
    files: int
    used: int
    reused: int
    decoded: int
    duplicates: int
    quarantined: Mapping[str, int]
    labels_without_file: int

    def again(self, now: datetime) -> "IngestFacts":
        """The facts of an ingest at ``now`` that found nothing new: all files reused, none read."""
        return self.model_copy(update={"ingested_at": now, "reused": self.files, "decoded": 0})


class LastIngest(BaseModel):
    """What the last successful ingest of a source started from, and gave.

    Args:
        fingerprint: see ``fingerprint.fingerprint``.
        digest: of the dataset.
        facts: counts.
    """

    model_config = ConfigDict(frozen=True)

    fingerprint: str
    digest: str
    facts: IngestFacts


def write_facts(folder: Path, facts: IngestFacts) -> None:
    """Write ``ingest.json`` into ``folder``."""
    write_bytes(folder / FACTS_NAME, facts.model_dump_json(indent=2).encode())


def read_facts(dataset: Path) -> IngestFacts | None:
    """The content of ``ingest.json``; None when a kill came between publication and it."""
    try:
        return IngestFacts.model_validate_json((dataset / FACTS_NAME).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def write_last(folder: Path, last: LastIngest) -> None:
    """Remember the last ingest of the source whose ledger is in ``folder``."""
    write_bytes(folder / _LAST_NAME, last.model_dump_json(indent=2).encode())


def read_last(folder: Path) -> LastIngest | None:
    """The last successful ingest of the source whose ledger is in ``folder``, if any."""
    try:
        return LastIngest.model_validate_json((folder / _LAST_NAME).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
