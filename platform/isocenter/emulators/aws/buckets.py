"""Files between a job's directories and S3."""

import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class Transfer:
    """Copies for one job.

    Args:
        s3: boto3's client.
    """

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._seen: dict[tuple[str, Path], tuple[int, int]] = {}

    def download(self, uri: str, folder: Path) -> int:
        """Copy what lies under the prefix ``uri`` into ``folder``; how many objects there were.

        Raises:
            botocore.exceptions.ClientError: no such bucket.
        """
        bucket, prefix = split_uri(uri)
        count = 0
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for found in page.get("Contents", ()):
                name = found["Key"].removeprefix(prefix).lstrip("/") or found["Key"].rpartition("/")[2]
                if name and not found["Key"].endswith("/"):
                    target = folder / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    self._s3.download_file(bucket, found["Key"], str(target))
                    count += 1
        return count

    def restore(self, uri: str, folder: Path) -> None:
        """Bring back the checkpoints that lie under ``uri``; they count as sent."""
        self.download(f"{uri.rstrip('/')}/", folder)
        for path in _files(folder):
            self._seen[uri, path] = _stamp(path)

    def send_changes(self, folder: Path, uri: str) -> None:
        """Copy to ``uri`` the files under ``folder`` that are new or changed since the last call."""
        bucket, prefix = split_uri(uri)
        for path in _files(folder):
            try:
                stamp = _stamp(path)
                if self._seen.get((uri, path)) != stamp:
                    key = f"{prefix.rstrip('/')}/{path.relative_to(folder).as_posix()}"
                    self._s3.upload_file(str(path), bucket, key.lstrip("/"))
                    self._seen[uri, path] = stamp
            except FileNotFoundError:  # renamed or removed by the program meanwhile
                continue

    def send_archive(self, folders: Sequence[Path], packed: Path, uri: str, key_id: str) -> None:
        """Pack what is in ``folders`` into one tar.gz and copy it to ``uri``, encrypted with ``key_id``."""
        with tarfile.open(packed, "w:gz", compresslevel=1) as archive:
            for folder in folders:
                for path in sorted(folder.iterdir()):
                    archive.add(path, arcname=path.name)
        bucket, key = split_uri(uri)
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id} if key_id else {}
        self._s3.upload_file(str(packed), bucket, key, ExtraArgs=encryption)
        packed.unlink()


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``."""
    parts = urlsplit(uri)
    return parts.netloc, parts.path.lstrip("/")


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def channel_uri(channel: Mapping[str, Any]) -> str:
    """Where a channel of ``InputDataConfig`` has its files."""
    return str(channel["DataSource"]["S3DataSource"]["S3Uri"])
