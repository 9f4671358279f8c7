"""What a training job left in S3."""

import io
import tarfile
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from isocenter.domain.artifact import Artifact, MediaType

# No archive with a file in it that is worth asking about is smaller than this many bytes, packed.
_SMALL = 1024


def job_outputs(s3: Any, model_uri: str) -> Sequence[Artifact]:
    """The archives beside ``model_uri`` and itself, where they hold files.

    Digests are empty: they are known when the files were fetched.

    Args:
        s3: boto3's client.
        model_uri: ``s3://.../output/model.tar.gz``.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: S3 can't be asked.
    """
    folder = model_uri.rpartition("/")[0]
    parts = urlsplit(folder)
    bucket, prefix = parts.netloc, parts.path.strip("/")
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", ())
    sizes = {each["Key"].removeprefix(f"{prefix}/"): int(each["Size"]) for each in found}
    return [
        Artifact(kind, "", MediaType.FILES, f"{folder}/{kind}.tar.gz", sizes[f"{kind}.tar.gz"])
        for kind in ("model", "output")
        if f"{kind}.tar.gz" in sizes and not _is_empty(s3, bucket, f"{prefix}/{kind}.tar.gz", sizes)
    ]


def _is_empty(s3: Any, bucket: str, key: str, sizes: dict[str, int]) -> bool:
    """SageMaker packs an empty directory too."""
    if sizes[key.rpartition("/")[2]] > _SMALL:
        return False
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
            return not any(member.isfile() for member in archive)
    except tarfile.TarError:
        return False
