"""A directory that a service hands on as one archive: SageMaker's ``model.tar.gz``.

https://docs.aws.amazon.com/sagemaker/latest/dg/cdf-training.html
"""

import tarfile
from pathlib import Path

from isocenter.errors import IntegrityError

ARCHIVE = "model.tar.gz"


def is_archive_only(folder: Path) -> bool:
    """Whether the archive is all that is in ``folder``."""
    return [path.name for path in folder.iterdir()] == [ARCHIVE]


def unpack_archive(folder: Path) -> None:
    """Put in the archive's place what it holds, where it is all that is in ``folder``.

    Raises:
        IntegrityError: it can't be unpacked, or reaches out of its folder.
    """
    if not is_archive_only(folder):
        return
    try:
        with tarfile.open(folder / ARCHIVE, "r:gz") as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise IntegrityError(f"{ARCHIVE} is no archive that can be unpacked.") from error
    (folder / ARCHIVE).unlink()
