"""A registered bundle as serving sees it: which network, which pixels, which decision."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from isocenter.domain.digest import digest_tree
from isocenter.domain.evaluation import Decision
from isocenter.domain.field_faults import field_faults
from isocenter.errors import InputError, IntegrityError

_Config = TypeVar("_Config", bound=BaseModel)


class Preprocessing(BaseModel):
    """``configs/preprocessing.json``: how pixels become the network's input.

    A bundle that wants something else than this release does is refused, not served wrongly.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    image_size: int = Field(ge=16, le=2048)
    letterbox: Literal[True] = True
    bits: Literal[16] = 16


@dataclass(frozen=True)
class ServedBundle:
    """A bundle on disk whose files were found, read and digested.

    Args:
        root: its directory.
        digest: ``sha256:...`` of all its files.
        preprocessing: how pixels become the network's input.
        decision: temperature, threshold and class names.
    """

    root: Path
    digest: str
    preprocessing: Preprocessing
    decision: Decision

    @property
    def onnx(self) -> Path:
        """The network."""
        return self.root / "models" / "model.onnx"


def open_bundle(root: Path, expected_digest: str | None = None) -> ServedBundle:
    """Read the bundle at ``root``.

    Args:
        root: the bundle's directory.
        expected_digest: what the registry says; None takes the bundle as it is.

    Raises:
        InputError: no such directory, a file is missing or can't be understood.
        IntegrityError: the files are not those of ``expected_digest``, or a symbolic link is among them.
    """
    if not root.is_dir():
        raise InputError("There is no bundle: the directory does not exist.")
    digest = _digest(root)
    if expected_digest is not None and digest != expected_digest:
        raise IntegrityError(
            f"The bundle's files changed: their digest is {digest}, the registry says {expected_digest}.",
            hint="Fetch the bundle again; don't use this copy.",
        )
    if not (root / "models" / "model.onnx").is_file():
        raise InputError("The bundle lacks models/model.onnx.")
    preprocessing = _read(root / "configs" / "preprocessing.json", Preprocessing)
    decision = _read(root / "configs" / "decision.json", Decision)
    return ServedBundle(root, digest, preprocessing, decision)


def _digest(root: Path) -> str:
    try:
        return digest_tree(root)
    except ValueError as error:
        raise IntegrityError(f"The bundle can't be digested: {error}.") from error
    except OSError as error:
        raise InputError(f"A file of the bundle can't be read: {error.strerror}.") from error


def _read(path: Path, kind: type[_Config]) -> _Config:
    try:
        return kind.model_validate(_read_json(path))
    except ValidationError as error:
        raise InputError(
            f"The bundle's configs/{path.name} is wrong: {field_faults(error, kind)}.",
            hint="It may be of another release of Isocenter.",
        ) from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(
            f"The bundle lacks configs/{path.name}.", hint="Only an evaluated model can be served."
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"The bundle's configs/{path.name} can't be read.") from error
