"""Writing the trail and its signed heads to a directory that is then kept elsewhere."""

from pathlib import Path

from isocenter.audit.export_files import HEADS, PUBLIC_KEY, RECORDS
from isocenter.audit.signing_key import public_key_file
from isocenter.audit.stored_head import heads_file
from isocenter.audit.verification import stored_records
from isocenter.domain.digest import canonical_json
from isocenter.errors import InputError
from isocenter.home import Home
from isocenter.storage.atomic import write_bytes
from isocenter.storage.database import Database


def export_trail(home: Home, database: Database, directory: Path) -> int:
    """Write ``records.jsonl``, ``heads.jsonl`` and ``signing.pub``; returns the number of records.

    Raises:
        InputError: the directory can't be made or written.
    """
    with database.read() as connection:
        lines = [canonical_json(record.as_json()) + b"\n" for record in stored_records(connection)]
    try:
        write_bytes(directory / RECORDS, b"".join(lines))
        for source, name in ((heads_file(home), HEADS), (public_key_file(home), PUBLIC_KEY)):
            write_bytes(directory / name, source.read_bytes() if source.exists() else b"")
    except OSError as error:
        raise InputError(f"The export can't be written to {directory}: {error.strerror}.") from error
    return len(lines)
