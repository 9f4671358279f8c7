"""Settings files of deployments: reading one, finding the one that is meant."""

import difflib
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from isocenter.domain.field_faults import field_faults
from isocenter.errors import InputError, NotFoundError
from isocenter.targets.settings import NAME, Cloud, DeploymentSettings

_LARGEST_FILE = 1 << 20
# What comes with the checkout to be read, not meant.
_EXAMPLE = "-example"


class _KeyTwiceError(yaml.YAMLError):
    """A mapping has a key twice: which of them is meant?"""

    def __init__(self, key: str, first: int, second: int) -> None:
        super().__init__(key)
        self.key, self.first, self.second = key, first, second


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice; YAML's own loader takes the last, silently."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                same, line = (key.tag, key.value), key.start_mark.line + 1
                if same in lines:
                    raise _KeyTwiceError(key.value, lines[same], line)
                lines[same] = line
        return node


def read_settings(path: Path) -> DeploymentSettings:
    """The deployment that the file describes.

    Raises:
        NotFoundError: no such file.
        InputError: no YAML, or a field is missing, unknown or wrong; the message names each.
    """
    document = _document(path)
    try:
        return DeploymentSettings.model_validate(document)
    except ValidationError as error:
        faults = field_faults(error, DeploymentSettings)
        raise InputError(f"The settings file {path} is wrong: {faults}.") from error


def check_name(name: str) -> None:
    """Refuse what can't name a deployment.

    Raises:
        InputError: says what may.
    """
    if not re.fullmatch(NAME, name):
        raise InputError(
            f"{name!r} can't name a deployment.",
            hint="3 to 20 lower-case letters, digits and hyphens, a letter first.",
        )


def find_settings(folder: Path, *, name: str = "", cloud: str = "") -> Path:
    """The settings file of the deployment called ``name``, or of the only one on ``cloud``.

    Args:
        folder: where the files lie.
        name: of the deployment; empty: the only one on ``cloud``; a ``*-example`` counts only
            where no other is there.
        cloud: aws, gcp, azure or onprem; empty: any.

    Raises:
        NotFoundError: there is none.
        InputError: two deployments have one name or one name of buckets, the one called ``name`` is on
            another cloud, or several are on ``cloud`` and none was named.
    """
    found = {path: _document(path) for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])}
    _refuse_equal_names(found)
    _refuse_equal_buckets(found)
    wanted = {
        path: str(document.get("name"))
        for path, document in found.items()
        if (not name or document.get("name") == name) and (not cloud or document.get("cloud") == cloud)
    }
    if cloud and not name:
        own = {path: each for path, each in wanted.items() if not each.endswith(_EXAMPLE)}
        wanted = own or wanted
    if len(wanted) == 1:
        return next(iter(wanted))
    if wanted:
        where, names = cloud or "some cloud", ", ".join(wanted.values())
        raise InputError(
            f"{len(wanted)} deployments in {folder} are on {where}: {names}.",
            hint="Say which: NAME=" + next(iter(wanted.values())),
        )
    for path, document in found.items():
        said = document.get("cloud")
        if (document.get("name") == name) if name else (said not in list(Cloud)):
            wrong = f"The field cloud of {path} is {said!r}"
            if said in list(Cloud):
                raise InputError(f"{wrong}, not {cloud!r}.", hint=f"Change it, or say CLOUD={said}.")
            raise InputError(f"{wrong}.", hint=f"Change it to one of {', '.join(Cloud)}.")
    raise _nothing_found(folder, name, cloud, found)


def _nothing_found(folder: Path, name: str, cloud: str, found: dict[Path, dict[str, Any]]) -> NotFoundError:
    what = f"called {name!r}" if name else f"on {cloud}" if cloud else "at all"
    names = [str(document.get("name")) for document in found.values()]
    near = difflib.get_close_matches(name, names, n=1) if name else []
    hint = (
        f"Did you mean {near[0]}?" if near else f"Write one: isocenter target init --cloud {cloud or 'aws'}"
    )
    return NotFoundError(f"There is no deployment {what} in {folder}.", hint=hint)


def _refuse_equal_names(found: dict[Path, dict[str, Any]]) -> None:
    first: dict[Any, Path] = {}
    for path, document in found.items():
        other = first.setdefault(document.get("name"), path)
        if other != path:
            raise InputError(
                f"Two deployments are called {document.get('name')!r}: {other} and {path}.",
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


def _buckets(document: dict[str, Any]) -> tuple[str, ...]:
    """What a deployment's buckets are called by; empty on Azure, where a digest of the name is in each."""
    cloud = str(document.get("cloud"))
    prefix, part = str(document.get("prefix") or document.get("name")), document.get(cloud)
    field = {"aws": "account", "gcp": "project_number", "onprem": "object_store"}.get(cloud)
    if field is None or not isinstance(part, dict):
        return ()
    return (cloud, str(part.get(field)), prefix)


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"The settings file {path} is over {_LARGEST_FILE} bytes.")
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe one
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no settings file {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The settings file {path} can't be read: {error}.") from error
    except _KeyTwiceError as error:
        raise InputError(
            f"The settings file {path} has the key {error.key} twice,"
            f" in lines {error.first} and {error.second}.",
            hint=f"Take out one of them: line {error.second} would win.",
        ) from error
    except yaml.YAMLError as error:
        raise InputError(f"The settings file {path} is no YAML: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"The settings file {path} is no mapping of fields.")
    return document
