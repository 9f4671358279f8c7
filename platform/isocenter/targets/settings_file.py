"""Settings files of deployments: reading one, finding the one that is meant."""

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from isocenter.domain.field_faults import field_faults
from isocenter.errors import InputError, NotFoundError
from isocenter.targets.forms import NAME, NAME_WORDS, reserved_name
from isocenter.targets.settings import Cloud, DeploymentSettings, OnpremSettings
from isocenter.targets.settings_document import cloud_in, read_document

# What comes with the checkout to be read, not meant.
_EXAMPLE = "-example"
# Whoever mends a file mends all of it at once.
_MOST_FAULTS = 30


def read_settings(path: Path) -> DeploymentSettings:
    """The deployment that the file describes.

    Raises:
        NotFoundError: no such file.
        InputError: no YAML, or a field is missing, unknown or wrong; the message names each.
    """
    document = read_document(path)
    try:
        return DeploymentSettings.model_validate(document)
    except ValidationError as error:
        faults = field_faults(error, DeploymentSettings, most=_MOST_FAULTS)
        raise InputError(f"The settings file {path} is wrong: {faults}.") from error


def check_name(name: str) -> None:
    """Refuse what can't name a deployment.

    Raises:
        InputError: says what may.
    """
    if not re.fullmatch(NAME, name):
        raise InputError(
            f"{name!r} can't name a deployment.",
            hint=f"A name is {NAME_WORDS}.",
        )
    why = reserved_name(name)
    if why:
        raise InputError(f"{name!r} can't name a deployment: {why}.", hint="Choose another.")


def find_settings(
    folder: Path, *, name: str = "", cloud: str = "", notice: Callable[[str], None] = lambda sentence: None
) -> Path:
    """The settings file of the deployment called ``name``, or of the only one on ``cloud``.

    A file that can't be read stops its own deployment only.

    Args:
        folder: where the files lie.
        name: of the deployment; empty: the only one on ``cloud``; a ``*-example`` counts only
            where no other is there.
        cloud: aws, gcp, azure or onprem; empty: any.
        notice: hears of files that can't be read, and so weren't compared.

    Raises:
        NotFoundError: there is none.
        InputError: its file can't be read, two deployments have one name, one name of buckets or one
            namespace, the one called ``name`` is on another cloud, or several are on ``cloud`` and none was
            named.
    """
    found, unread = _documents(folder)
    _refuse_equal_names(found)
    _refuse_equal_buckets(found)
    _refuse_equal_namespaces(found)
    wanted = {
        path: str(document.get("name"))
        for path, document in found.items()
        if (not name or str(document.get("name")) == name) and (not cloud or document.get("cloud") == cloud)
    }
    if cloud and not name:
        own = {path: each for path, each in wanted.items() if not each.endswith(_EXAMPLE)}
        wanted = own or wanted
    _refuse_unread(unread, name, cloud, wanted)
    for path, error in unread.items():
        notice(f"{path} can't be read, so its names weren't compared: {error.message}")
    if len(wanted) == 1:
        return next(iter(wanted))
    if wanted:
        where, names = cloud or "some cloud", ", ".join(wanted.values())
        raise InputError(
            f"{len(wanted)} deployments in {folder} are on {where}: {names}.",
            hint="Say which: NAME=" + next(iter(wanted.values())),
        )
    _refuse_wrong_cloud(found, name, cloud)
    raise _nothing_found(folder, name, cloud, found)


def _documents(folder: Path) -> tuple[dict[Path, dict[str, Any]], dict[Path, InputError]]:
    """The settings files of ``folder``, and those that can't be read with what is wrong with them."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, not the folder of settings files.")
    found: dict[Path, dict[str, Any]] = {}
    unread: dict[Path, InputError] = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        try:
            found[path] = read_document(path)
        except InputError as error:
            unread[path] = error
    return found, unread


def _refuse_unread(unread: dict[Path, InputError], name: str, cloud: str, wanted: dict[Path, str]) -> None:
    """Refuse where a file that can't be read may be the one that is meant."""
    for path, error in unread.items():
        if name and path.stem == name and not wanted:
            raise error
        if name or cloud_in(path) not in ("", cloud or cloud_in(path)):
            continue
        if not wanted:
            raise error
        if not path.stem.endswith(_EXAMPLE):
            raise InputError(
                f"{path} can't be read, and may be on {cloud or 'a cloud'} too: {error.message}",
                hint=f"Mend it, or say which is meant: NAME={next(iter(wanted.values()))}",
            )


def _refuse_wrong_cloud(found: dict[Path, dict[str, Any]], name: str, cloud: str) -> None:
    for path, document in found.items():
        said = document.get("cloud")
        if (str(document.get("name")) == name) if name else (said not in list(Cloud)):
            wrong = f"The field cloud of {path} is {'missing' if said is None else repr(said)}"
            if said in list(Cloud):
                raise InputError(f"{wrong}, not {cloud!r}.", hint=f"Change it, or say CLOUD={said}.")
            raise InputError(f"{wrong}.", hint=f"Write one of {', '.join(Cloud)}.")


def _nothing_found(folder: Path, name: str, cloud: str, found: dict[Path, dict[str, Any]]) -> NotFoundError:
    what = f"called {name!r}" if name else f"on {cloud}" if cloud else "at all"
    names = [str(document.get("name")) for document in found.values()]
    near = difflib.get_close_matches(name, names, n=1) if name else []
    hint = (
        f"Did you mean {near[0]}?" if near else f"Write one: isocenter target init --cloud {cloud or 'aws'}"
    )
    return NotFoundError(f"There is no deployment {what} in {folder}.", hint=hint)


def _refuse_equal_names(found: dict[Path, dict[str, Any]]) -> None:
    first: dict[str, Path] = {}
    for path, document in found.items():
        name = document.get("name")
        # What isn't a text is no name: read_settings says so where it is meant.
        other = first.setdefault(name, path) if isinstance(name, str) else path
        if other != path:
            raise InputError(
                f"Two deployments are called {name!r}: {other} and {path}.",
                hint="Change the field name in one of them.",
            )


def _refuse_equal_buckets(found: dict[Path, dict[str, Any]]) -> None:
    first: dict[tuple[str, ...], Path] = {}
    for path, document in found.items():
        buckets = _buckets(document)
        other = first.setdefault(buckets, path) if buckets else path
        if other != path:
            raise InputError(
                f"The buckets of two deployments would have the same names, of prefix {buckets[-1]!r} in"
                f" {buckets[1]}: {other} and {path}.",
                hint="Change the field prefix in one of them; where it is empty, the name is the prefix.",
            )


def _refuse_equal_namespaces(found: dict[Path, dict[str, Any]]) -> None:
    first: dict[tuple[str, str], Path] = {}
    for path, document in found.items():
        part = document.get("onprem")
        if document.get("cloud") != Cloud.ONPREM or not isinstance(part, dict):
            continue
        default = OnpremSettings.model_fields["namespace"].default
        cluster, namespace = str(part.get("context")), str(part.get("namespace") or default)
        other = first.setdefault((cluster, namespace), path)
        if other != path:
            raise InputError(
                f"Two deployments would have the namespace {namespace} of the cluster {cluster}:"
                f" {other} and {path}.",
                hint="Change the field onprem.namespace in one of them.",
            )


def _buckets(document: dict[str, Any]) -> tuple[str, ...]:
    """What a deployment's buckets are called by; empty on Azure, where a digest of the name is in each."""
    cloud = str(document.get("cloud"))
    prefix, part = str(document.get("prefix") or document.get("name")), document.get(cloud)
    field = {"aws": "account", "gcp": "project_number", "onprem": "object_store"}.get(cloud)
    if field is None or not isinstance(part, dict):
        return ()
    where = str(part.get(field))
    return (cloud, _one_address(where) if field == "object_store" else where, prefix)


def _one_address(uri: str) -> str:
    """``uri`` as every other way to write it."""
    scheme, _, rest = uri.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host.lower().removesuffix(':443')}/{path.strip('/')}".rstrip("/")
