"""``demo.json``: what a folder with a demo set holds, so that a re-run knows what is there."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from isocenter.errors import InputError
from isocenter.storage.atomic import write_bytes

NAME = "demo.json"


class SetRecord(BaseModel):
    """The settings of a set and, once it is complete, the SHA-256 of each file by its relative name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    generator: str
    patients: int
    seed: int
    size: int
    files: dict[str, str] = {}


def generator_digest() -> str:
    """Digest of this package's sources: another version of them may draw other pictures."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_record(folder: Path) -> SetRecord | None:
    """The record in ``folder``; None where there is none.

    Raises:
        InputError: it can't be read.
    """
    try:
        return SetRecord.model_validate_json((folder / NAME).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise InputError(
            f"{NAME} in the folder for the demo set is not one that this version wrote.",
            hint="Give --out a new or empty folder.",
        ) from error


def save_record(folder: Path, record: SetRecord) -> None:
    """Write ``record`` unless it is there already."""
    put(folder / NAME, record.model_dump_json(indent=1).encode() + b"\n")


def put(path: Path, data: bytes) -> bool:
    """Write ``data`` to ``path`` unless it holds just that; returns whether it was written."""
    if path.is_file() and path.read_bytes() == data:
        return False
    write_bytes(path, data)
    return True
