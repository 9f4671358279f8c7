"""Where the bundle is: a directory, one inside it, or a URI that is copied here first."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from isocenter.errors import EnvironmentFaultError, InputError

_URI = re.compile(r"[a-z][a-z0-9+.-]+://")
_MARK = "models/model.onnx"
_DEPTH = 3
"""Azure ML puts a model into folders of its name and version."""


@contextmanager
def bundle_at_hand(place: str, digest: str | None) -> Iterator[Path]:
    """The bundle's directory, for the length of the ``with`` block.

    Args:
        place: a directory that is or holds the bundle, or a URI (``gs://``, ``s3://``, ``abfs://``).
        digest: that its files must have; needed for a URI.

    Raises:
        InputError: there is none, or more than one.
        EnvironmentFaultError: the storage can't be reached or used.
    """
    if not _URI.match(place):
        yield find_bundle(Path(place))
        return
    if digest is None:
        raise InputError(
            "A bundle from elsewhere needs its digest.", hint="--digest (ISOCENTER_SERVING_DIGEST) gives it."
        )
    with TemporaryDirectory(prefix="isocenter-bundle-") as folder:
        _fetch(place, Path(folder))
        yield find_bundle(Path(folder))


def find_bundle(root: Path) -> Path:
    """The bundle that is ``root`` or lies in it; ``root`` where there is none, which is refused later.

    Raises:
        InputError: there is more than one.
    """
    if (root / _MARK).is_file():
        return root
    found = [
        path.parents[1]
        for depth in range(1, _DEPTH + 1)
        for path in root.glob("/".join(["*"] * depth + [_MARK]))
    ]
    if len(found) > 1:
        raise InputError("The model's directory holds more than one bundle.")
    return found[0] if found else root


def _fetch(uri: str, folder: Path) -> None:
    from fsspec.core import url_to_fs

    try:
        storage, root = url_to_fs(uri)
        names = storage.find(root)
        for name in names:
            inner = PurePosixPath(name).relative_to(PurePosixPath(root))
            if ".." in inner.parts:
                raise InputError("A file of the model leads out of its folder.")
            target = folder.joinpath(*inner.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            storage.get_file(name, str(target))
    except ImportError as error:
        raise EnvironmentFaultError(
            f"The model's storage needs a package that isn't installed: {error.name}.",
            hint="Install the fsspec implementation of its protocol beside isocenter-serving.",
        ) from error
    except OSError as error:
        raise EnvironmentFaultError(f"The model can't be fetched: {type(error).__name__}.") from error
    if not names:
        raise InputError("There is nothing at the model's URI.")
