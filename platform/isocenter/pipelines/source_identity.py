"""Which code and which packages do a step's work: part of the keys of steps that run them."""

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from isocenter.errors import EnvironmentFaultError

# What the training program runs on, besides the Python files of its own.
_TRAINING_PACKAGES = ("torch", "monai", "numpy", "onnx", "onnxruntime", "onnxscript", "scikit-learn")
_TRAINING_SOURCES = (
    "isocenter_training",
    "isocenter.imaging",
    "isocenter.datasets",
    "isocenter.domain",
    "isocenter.storage.atomic",
)


@cache
def training_identity() -> str:
    """Digest of the training program's source and the versions of what it computes with.

    The program is looked up, not imported.

    Raises:
        EnvironmentFaultError: the training package is not installed beside the platform.
    """
    digest = hashlib.sha256()
    for name in _TRAINING_SOURCES:
        for path in _files(name):
            digest.update(f"{name} {path.name} ".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    for package, number in package_versions(_TRAINING_PACKAGES).items():
        digest.update(f"{package} {number}\n".encode())
    return "sha256:" + digest.hexdigest()


def package_versions(names: Sequence[str] = _TRAINING_PACKAGES) -> Mapping[str, str]:
    """Installed versions by package name; ``absent`` where there is none."""
    return {name: _version(name) for name in names}


def code_commit() -> str | None:
    """The commit that the platform's source is at, ``-dirty`` added when files differ; None outside git."""
    folder = Path(__file__).parent
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None


def _files(module: str) -> list[Path]:
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise EnvironmentFaultError(
            f"The package {module!r} is not installed beside the platform, so this machine can't train.",
            hint="Run `make setup`, or install the project in training/.",
        )
    if spec.submodule_search_locations is None:
        return [Path(spec.origin)]
    folders = [Path(folder) for folder in spec.submodule_search_locations]
    return sorted(p for folder in folders for p in folder.rglob("*") if _is_source(p))


def _is_source(path: Path) -> bool:
    return path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
