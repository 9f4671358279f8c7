"""One Terraform JSON document, read strictly: what the rules would not see is refused."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from isocenter_policies.errors import UnreadableError

FILE_NAME = "cdk.tf.json"
# The provider that makes a stack one of this cloud; the clouds' stacks may use kubernetes besides.
PROVIDERS = {"aws": "aws", "gcp": "google", "azure": "azurerm", "onprem": "kubernetes"}
SOURCE_ROOT = "infra/isocenter_infra"
# A deployment has a stack of its own name and, for Terraform's state, one that ends so.
STATE_SUFFIX = "-state"
# With these checkov parses nothing, runs no check and says that all is well.
_UNSEEN_SETTINGS = ("required_version", "experiments")
_UNSEEN_BLOCKS = {
    "moved": "Move the state with `terraform state mv` instead.",
    "import": "Import with `terraform import` instead.",
    "removed": "Remove from the state with `terraform state rm` instead.",
    "module": "Write its resources into this document: the rules don't follow modules.",
}


@dataclass(frozen=True)
class Place:
    """Where in our Python sources something is made: file, from the repository's root, and line."""

    file: str
    line: int

    def __str__(self) -> str:
        """As editors read it: ``FILE:LINE``."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Entity:
    """One thing that rules look at: a resource, or what else is in the document.

    Args:
        kind: Terraform's resource type; ``provider.aws``, ``terraform.backend``, ``output`` for the rest.
        name: within its kind.
        body: as it stands in the JSON.
    """

    kind: str
    name: str
    body: dict[str, Any]

    @property
    def address(self) -> str:
        """The address as Terraform prints it."""
        return f"{self.kind}.{self.name}"


@dataclass(frozen=True)
class Document:
    """One ``cdk.tf.json``.

    Args:
        path: of the file.
        content: of the file.
    """

    path: Path
    content: dict[str, Any]

    @property
    def name(self) -> str:
        """The stack's name; where the document doesn't say it, that of its folder."""
        metadata = self.content.get("//", {}).get("metadata", {})
        return str(metadata.get("stackName") or self.path.parent.name)

    @property
    def stack(self) -> str:
        """``state`` for the stack that holds Terraform's own state, else ``main``."""
        return "state" if self.name.endswith(STATE_SUFFIX) else "main"

    @property
    def cloud(self) -> str:
        """The cloud that the stack is for; empty when no provider tells."""
        used = self.content.get("provider", {})
        return next((cloud for cloud, provider in PROVIDERS.items() if provider in used), "")

    def entities(self) -> Iterator[Entity]:
        """All that rules look at."""
        for kind, named in self.content.get("resource", {}).items():
            for name, body in named.items():
                yield Entity(kind, name, body)
        for provider, bodies in self.content.get("provider", {}).items():
            for body in bodies if isinstance(bodies, list) else [bodies]:
                yield Entity(f"provider.{provider}", str(body.get("alias", "default")), body)
        for backend, body in self.content.get("terraform", {}).get("backend", {}).items():
            yield Entity("terraform.backend", backend, {"type": backend, **body})
        for name, body in self.content.get("output", {}).items():
            yield Entity("output", name, body)

    def place(self, address: str) -> Place | None:
        """Where the resource at ``address`` is made, if the document says it."""
        kind, _, name = address.partition(".")
        body = self.content.get("resource", {}).get(kind, {}).get(name, {})
        metadata = body.get("//", {}).get("metadata", {}) if isinstance(body.get("//"), dict) else {}
        file, _, line = str(metadata.get("source", "")).rpartition(":")
        return Place(f"{SOURCE_ROOT}/{file}", int(line)) if file and line.isdecimal() else None


def find_documents(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that ``paths`` name; a folder names the documents of the stacks in it.

    Raises:
        UnreadableError: a folder holds no synthesized stack.
    """
    for path in paths:
        found = sorted(path.glob(f"*/{FILE_NAME}")) if path.is_dir() else [path]
        if not found:
            raise UnreadableError(f"There is no synthesized stack in {path}.", hint="Run `make synth` first.")
        yield from found


def read_document(path: Path) -> Document:
    """Read ``path``.

    Raises:
        UnreadableError: it is no Terraform JSON, holds no resource, or holds what the rules would not see.
    """
    try:
        content = json.loads(path.read_bytes(), object_pairs_hook=_unique)
    except OSError as error:
        raise UnreadableError(f"{path} can't be read: {error.strerror}.", hint="Run `make synth`.") from error
    except ValueError as error:
        raise UnreadableError(
            f"{path} could not be parsed: {error}.", hint="Run `make synth` again; don't edit its output."
        ) from error
    document = Document(path, content)
    _refuse_unseen(document)
    _refuse_other_shapes(document)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping; of a key that is written twice, the reader and Terraform might see different ones."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        raise ValueError(f"the key {twice!r} stands twice in one mapping")
    return found


def _refuse_unseen(document: Document) -> None:
    content = document.content
    if not isinstance(content, dict):
        raise UnreadableError(f"{document.path} holds no mapping at its top.", hint="Run `make synth`.")
    settings = content.get("terraform", {})
    for setting in _UNSEEN_SETTINGS:
        if isinstance(settings, dict) and setting in settings:
            raise UnreadableError(
                f"{document.path} holds terraform.{setting}: with it checkov skips the whole file unseen.",
                hint=f"Leave {setting} out of the stack; the version is checked where terraform is started.",
            )
    for block, hint in _UNSEEN_BLOCKS.items():
        if block in content:
            raise UnreadableError(
                f"{document.path} holds a {block!r} block: what it brings in is not seen by the rules.",
                hint=hint,
            )


def _refuse_other_shapes(document: Document) -> None:
    """Terraform allows lists in many places; the rules see one mapping a resource, so only that passes."""

    def refuse(where: str) -> NoReturn:
        raise UnreadableError(
            f"{document.path}: {where} must be a mapping of names to mappings.",
            hint="Run `make synth` again.",
        )

    resources = document.content.get("resource")
    if not isinstance(resources, dict) or not resources:
        raise UnreadableError(f"{document.path} holds no resource.", hint="Run `make synth`.")
    for kind, named in resources.items():
        if not isinstance(named, dict):
            refuse(f"resource.{kind}")
        for name, body in named.items():
            if not isinstance(body, dict):
                refuse(f"resource.{kind}.{name}")
    for block in ("terraform", "provider", "output", "data", "locals", "variable", "//"):
        if not isinstance(document.content.get(block, {}), dict):
            refuse(block)
    if not isinstance(document.content.get("terraform", {}).get("backend", {}), dict):
        refuse("terraform.backend")
