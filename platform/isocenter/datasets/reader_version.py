"""Which code reads and prepares pixels: what was read by other code is read again."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

# The packages that turn compressed bytes into pixels, and pixels into tiles.
_PACKAGES = ("imagecodecs", "pillow")


@cache
def reader_version() -> str:
    """64 hex digits over the source of ``isocenter.imaging`` and the versions of the decoders."""
    # Looked up, not imported: a fingerprint opens no image.
    imaging = find_spec("isocenter.imaging")
    assert imaging is not None and imaging.origin is not None  # noqa: S101 - of this package
    digest = hashlib.sha256()
    for path in sorted(Path(imaging.origin).parent.glob("*.py")):
        digest.update(path.read_bytes())
    for package in _PACKAGES:
        digest.update(f"{package} {_version(package)}\n".encode())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
