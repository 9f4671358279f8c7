"""What an ingest and its reading processes say to each other."""

from dataclasses import dataclass
from pathlib import Path

from isocenter.datasets.pseudonym import Pseudonyms


@dataclass(frozen=True, slots=True)
class FileToRead:
    """A file and the names that its record gets.

    Args:
        relative: path below the source.
        source_key: pseudonym of the path.
        stamp: pseudonym of size and time of last change.
    """

    relative: str
    source_key: str
    stamp: str


@dataclass(frozen=True, repr=False)
class WorkerSettings:
    """What holds for all batches; the first thing that a worker is sent.

    Args:
        root: the source folder.
        image_size: rows and columns of a tile.
        pseudonyms: under the site secret.
    """

    root: Path
    image_size: int
    pseudonyms: Pseudonyms


@dataclass(frozen=True)
class Batch:
    """Files to read.

    Args:
        tiles: where their tiles go.
        files: what to read, in this order.
        attempt: how often a worker died of exactly these files before.
    """

    tiles: Path
    files: tuple[FileToRead, ...]
    attempt: int = 0


@dataclass(frozen=True)
class Ready:
    """The worker has started."""


@dataclass(frozen=True)
class BatchDone:
    """The batch's tiles are written; ``errno`` says why not when it isn't 0."""

    errno: int = 0
