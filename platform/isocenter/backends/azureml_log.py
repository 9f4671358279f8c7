"""A job's log, as Azure ML keeps it: a blob that grows, whose address the run's details tell."""

from collections.abc import Iterator, Sequence
from typing import Any

# The log of the only process, or of rank 0.
_NAMES = ("user_logs/std_log.txt", "user_logs/std_log_process_0.txt", "user_logs/std_log_process_00.txt")
_TAIL_BYTES = 16_384


class JobLog:
    """Reads on where it stopped."""

    def __init__(self) -> None:
        self._offset = 0
        self._rest = b""

    def new_lines(self, details: Any, *, is_last: bool) -> Iterator[str]:
        """What came since the last call.

        Args:
            details: of the run, from the SDK: has the log's address, which is good for some hours.
            is_last: whether the job has ended, so that a line without an end is one too.

        Raises:
            azure.core.exceptions.AzureError: it can't be read now; nothing is skipped by that.
        """
        data = _read(details, self._offset, _NAMES)
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if is_last and self._rest:
            lines.append(self._rest)
            self._rest = b""
        yield from (line.decode("utf-8", errors="replace") for line in lines)


def log_tail(details: Any, name: str = "") -> str:
    """The end of a log; empty where there is none.

    Args:
        details: of the run.
        name: of the log, e.g. that of the process that failed; without it, or where there is none of that
            name, the log of rank 0.

    Raises:
        azure.core.exceptions.AzureError: it can't be read.
    """
    return _read(details, -_TAIL_BYTES, (name, *_NAMES)).decode("utf-8", errors="replace")


def _read(details: Any, offset: int, names: Sequence[str]) -> bytes:
    """The first of ``names`` that is there: from ``offset``, or so many bytes before the end."""
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
    from azure.storage.blob import BlobClient

    files = details.log_files or {}
    address = next((files[name] for name in names if name in files), None)
    if address is None:
        return b""
    with BlobClient.from_blob_url(address, retry_total=0) as blob:
        try:
            if offset < 0:
                offset = max(0, int(blob.get_blob_properties().size) + offset)
            return bytes(blob.download_blob(offset=offset).readall())
        except ResourceNotFoundError:
            return b""
        except HttpResponseError as error:
            if error.status_code == 416:  # nothing has come since
                return b""
            raise
