"""What a settings file holds, before its fields are looked at; also where it isn't what it should be."""

import errno
import re
import stat
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import ReaderError

from isocenter.errors import InputError, NotFoundError

_LARGEST_FILE = 1 << 20
_WRITE_ONE = "isocenter target init --cloud CLOUD --name NAME writes one."
_REMEDIES = {
    errno.EACCES: "Let yourself read it: chmod u+r.",
    errno.ELOOP: "It is a link that leads back to itself: put the file itself there.",
}
# How a file that can't be read as YAML most likely names its cloud.
_CLOUD_LINE = re.compile(rb"""^cloud:[ \t]*["']?([a-z]+)""", re.MULTILINE)


class _KeyTwiceError(yaml.YAMLError):
    """A mapping has a key twice: which of them is meant?"""

    def __init__(self, key: str, first: int, second: int) -> None:
        super().__init__(key)
        self.key, self.first, self.second = key, first, second


_NUMBERS = frozenset(("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"))
_PLAIN_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")


class _Loader(yaml.SafeLoader):
    """YAML less what nobody means: a key that is there twice, where the last would win, silently, and numbers
    in another base (YAML 1.1 reads 010 as 8, 10:30 as 630); those stay text, and no field takes them for a
    number."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        tag: str = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        is_other = tag in _NUMBERS and isinstance(value, str) and not _PLAIN_NUMBER.fullmatch(value)
        return "tag:yaml.org,2002:str" if is_other else tag

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


def read_document(path: Path) -> dict[str, Any]:
    """The mapping that the file holds; its fields aren't looked at.

    Raises:
        NotFoundError: no such file.
        InputError: it can't be read, is no text, no YAML or no mapping, or has a key twice.
    """
    text = _text(path)
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe one
    except _KeyTwiceError as error:
        raise InputError(
            f"The settings file {path} has the key {error.key} twice,"
            f" in lines {error.first} and {error.second}.",
            hint=f"Take out one of them: line {error.second} would win.",
        ) from error
    except yaml.YAMLError as error:
        raise InputError(
            f"The settings file {path} is no YAML: {_yaml_fault(error)}.",
            hint="Mend it there, or a bracket or quote before it. isocenter target init writes a right one.",
        ) from error
    except RecursionError as error:
        raise InputError(f"The settings file {path} is nested too deeply to be one.") from error
    except ValueError as error:  # a date or number that can't be
        raise InputError(
            f"The settings file {path} holds what is no value: {str(error).partition(';')[0]}.",
            hint="It reads like a date or a number: write a text in quotes.",
        ) from error
    if document is None:
        raise InputError(f"The settings file {path} is empty.", hint=_WRITE_ONE)
    if not isinstance(document, dict):
        raise InputError(
            f"The settings file {path} is no mapping of fields, but {_kind(document)}.",
            hint="Lines are like `region: eu-central-1`. " + _WRITE_ONE,
        )
    return document


def cloud_in(path: Path) -> str:
    """The cloud that a file names which can't be read as a whole; empty where it can't be told."""
    try:
        line = _CLOUD_LINE.search(_content(path))
    except (OSError, InputError):
        return ""
    return line[1].decode() if line else ""


def _kind(document: Any) -> str:
    return "a list" if isinstance(document, list) else "one value"


def _yaml_fault(error: yaml.YAMLError) -> str:
    """What the parser stumbled over, in a line."""
    if isinstance(error, ReaderError):
        return f"it holds the character #x{error.character:04x}, which no text has"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return str(error).partition("\n")[0]
    mark = error.problem_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}"
    if "'\\t'" in (error.problem or ""):
        return f"{place}: a tab; indent by spaces"
    # Its second half alone says little: "but found another document".
    opening = f"{error.context}, " if (error.problem or "").startswith("but ") else ""
    return f"{place}: {opening}{error.problem}"


def _text(path: Path) -> str:
    try:
        content = _content(path)
        return content.decode("utf-8")
    except FileNotFoundError as error:
        if path.is_symlink():
            raise NotFoundError(
                f"The settings file {path} is a link to nothing.", hint="Take it out."
            ) from error
        raise NotFoundError(f"The settings file {path} isn't there.", hint=_WRITE_ONE) from error
    except OSError as error:
        raise InputError(
            f"The settings file {path} can't be read: {error.strerror}.",
            hint=_REMEDIES.get(error.errno or 0, ""),
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"The settings file {path} is no text in UTF-8 (byte {error.start}).",
            hint="Save it as UTF-8; if it is a binary, it has the wrong name.",
        ) from error


def _content(path: Path) -> bytes:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path} is a folder, not a settings file.", hint="Give it a name without .yaml.")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path} is no file that can be read to its end.", hint="Put a settings file there.")
    if status.st_size > _LARGEST_FILE:
        raise InputError(
            f"The settings file {path} is over {_LARGEST_FILE} bytes.", hint="Is it one? " + _WRITE_ONE
        )
    return path.read_bytes()
