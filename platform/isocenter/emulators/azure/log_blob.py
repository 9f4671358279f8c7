"""A job's log file as an append blob that grows with it, as Azure ML keeps it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobSasPermissions, BlobServiceClient, generate_blob_sas

CONTAINER = "azureml"
_LARGEST_BLOCK = 4 << 20
_READABLE = timedelta(hours=12)


class LogBlob:
    """One log.

    Args:
        blobs: where it is kept.
        job: whose it is.
        path: the file that the job's process writes; its name is the log's.
    """

    def __init__(self, blobs: BlobServiceClient, job: str, path: Path) -> None:
        self.name = f"user_logs/{path.name}"
        self._path = path
        self._blob: BlobClient = blobs.get_blob_client(CONTAINER, f"ExperimentRun/dcid.{job}/{self.name}")
        self._sent = self._size()

    def flush(self) -> None:
        """Append what came since."""
        if not self._path.is_file() or self._path.stat().st_size == self._sent:
            return
        with self._path.open("rb") as stream:
            stream.seek(self._sent)
            while block := stream.read(_LARGEST_BLOCK):
                self._blob.append_block(block)
                self._sent += len(block)

    def url(self) -> str:
        """An address that may be read for some hours, without further credentials."""
        credential = self._blob.credential
        signature = generate_blob_sas(
            str(self._blob.account_name),
            self._blob.container_name,
            self._blob.blob_name,
            account_key=credential.account_key,
            permission=BlobSasPermissions(read=True),
            expiry=datetime.now(UTC) + _READABLE,
        )
        return f"{self._blob.url}?{signature}"

    def _size(self) -> int:
        try:
            return int(self._blob.get_blob_properties().size)
        except ResourceNotFoundError:
            self._blob.create_append_blob()
            return 0
