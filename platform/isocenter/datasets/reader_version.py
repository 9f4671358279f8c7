"""Which code reads and prepares pixels: what was read by other code is read again."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# The packages that turn compressed bytes into pixels, and pixels into tiles.
_PACKAGES = ("imagecodecs", "pillow")


@cache
def reader_version() -> str:
    """64 hex digits over the source of ``isocenter.imaging`` and the versions of the decoders."""
    import isocenter.imaging

    digest = hashlib.sha256()
    for path in sorted(Path(isocenter.imaging.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    for package in _PACKAGES:
        digest.update(f"{package} {_version(package)}\n".encode())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
