"""Python, packages, image decoders and programs."""

import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata

from isocenter.doctor.check import Check, missing, ok

_PROJECTS = {
    "isocenter": ("platform packages", "pip install isocenter", True),
    "isocenter-training": ("training packages", "make setup, or pip install isocenter-training", True),
    "isocenter-serving": ("serving packages", "make setup, or pip install isocenter-serving", True),
}
# What each extra of the platform installs (platform/pyproject.toml; a test compares).
EXTRAS = {
    "aws": ("boto3", "obstore", "s3fs"),
    "gcp": ("gcsfs", "google-cloud-aiplatform"),
    "azure": ("adlfs", "azure-ai-ml", "azure-identity"),
    "kubernetes": ("kubernetes", "obstore", "s3fs"),
}
_REQUIREMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CONTAINER_RUNTIMES = ("podman", "docker", "buildah")


def check_python() -> Check:
    """The interpreter's version; an older one than ours needs could not run this."""
    return ok("Python", ".".join(map(str, sys.version_info[:3])), required=True)


def check_packages() -> Iterator[Check]:
    """Each of our projects: is it installed, and everything that it requires."""
    for project, (name, remedy, required) in _PROJECTS.items():
        try:
            absent = sorted(_absent_requirements(project))
        except metadata.PackageNotFoundError:
            yield missing(name, f"{project} is not installed", remedy, required=required)
            continue
        if absent:
            yield missing(name, f"not installed: {', '.join(absent)}", remedy, required=required)
        else:
            yield ok(name, f"{project} {metadata.version(project)} and all it requires", required=required)


def _absent_requirements(project: str) -> Iterator[str]:
    for requirement in metadata.requires(project) or ():
        name = _REQUIREMENT_NAME.match(requirement)
        if name is None or "extra ==" in requirement:
            continue
        try:
            metadata.version(name.group())
        except metadata.PackageNotFoundError:
            yield name.group()


def check_codecs() -> Check:
    """The decoders of compressed DICOM, really loaded."""
    try:
        import imagecodecs  # noqa: F401
        import rle  # noqa: F401

        from isocenter.imaging.codecs import CODECS
    except ImportError as error:
        detail = f"can't be loaded: {error.name or error}"
        return missing("image decoders", detail, "make setup", required=True)
    return ok("image decoders", f"{len(CODECS)} compressed transfer syntaxes", required=True)


def check_programs() -> Iterator[Check]:
    """Programs outside of Python that some verbs want."""
    yield _program("git", ("git",), "apt-get install git", "code commits go into lineage")
    runtime = f"one of {', '.join(_CONTAINER_RUNTIMES)}"
    yield _program("OCI runtime", _CONTAINER_RUNTIMES, "apt-get install podman", f"{runtime}: builds images")
    yield _program(
        "terraform", ("terraform", "tofu"), "https://developer.hashicorp.com/terraform/install", "deploys"
    )


def check_extras() -> Iterator[Check]:
    """Packages that only targets of one kind need."""
    for extra, packages in EXTRAS.items():
        name, absent = f"{extra} packages", [package for package in packages if not _is_installed(package)]
        if absent:
            remedy = f"make setup EXTRAS={extra}, or pip install 'isocenter[{extra}]'"
            yield missing(name, f"not installed: {', '.join(absent)} (only for targets there)", remedy)
        else:
            yield ok(name, f"installed: {', '.join(packages)}")


def _program(name: str, candidates: tuple[str, ...], remedy: str, purpose: str) -> Check:
    found = next((path for path in map(shutil.which, candidates) if path), None)
    return ok(name, found) if found else missing(name, f"not found ({purpose})", remedy)


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
