"""Which of the synthesized stacks are scanned: those of deployments that there are, or of the one named.

A folder of synthesized stacks keeps what was synthesized once. A stack whose deployment is gone would be
judged, and its findings stop everybody; so it is left out, and that is said.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from isocenter_policies.document import PROVIDERS, STATE_SUFFIX, Document, find_documents, read_document
from isocenter_policies.errors import UnreadableError


@dataclass(frozen=True)
class Wanted:
    """What is to be scanned.

    Args:
        cloud: aws, gcp, azure or onprem; empty: any.
        name: of a deployment; empty: every one that there is.
        deployments: folder of settings files; None: whatever the documents are, they are scanned.
    """

    cloud: str = ""
    name: str = ""
    deployments: Path | None = None


@dataclass(frozen=True)
class Choice:
    """The stacks of a scan.

    Args:
        documents: that are scanned.
        left_out: path of each stack that is not, and why.
        notices: what a reader should know of those that are.
    """

    documents: tuple[Document, ...]
    left_out: Mapping[Path, str]
    notices: tuple[str, ...] = ()


def choose(paths: Sequence[Path], wanted: Wanted) -> Choice:
    """The documents in ``paths`` that are wanted.

    Raises:
        UnreadableError: a file that is wanted can't be read, or nothing is left to scan.
    """
    if wanted.cloud and wanted.cloud not in PROVIDERS:
        hint = "The local target has no Terraform, and so nothing to scan." if wanted.cloud == "local" else ""
        raise UnreadableError(f"The scan knows no cloud {wanted.cloud!r}: {', '.join(PROVIDERS)}.", hint=hint)
    settings = None if wanted.deployments is None else _settings_files(wanted.deployments)
    paths = [path for path in dict.fromkeys(find_documents(paths)) if wanted.name in ("", _deployment(path))]
    # Whoever names a deployment wants it scanned, whatever lies beside it.
    there = [p for p in paths if settings is None or wanted.name or _deployment(p) in settings]
    left = [path for path in paths if path not in there and wanted.cloud in ("", *_cloud(path))]
    read = [read_document(path) for path in there]
    kept = [document for document in read if wanted.cloud in ("", document.cloud)]
    if not kept:
        raise _only_leftovers(wanted, left) if left else _nothing(wanted)
    why = f"no settings file in {wanted.deployments} is of a deployment called"
    left_out = {path: f"{why} {_deployment(path)}" for path in left}
    return Choice(tuple(kept), left_out, tuple(_notices(kept, settings, wanted)))


def _deployment(path: Path) -> str:
    """A synthesis writes each stack into a folder of its name; so a leftover one need not be read."""
    return path.parent.name.removesuffix(STATE_SUFFIX)


def _cloud(path: Path) -> tuple[str, ...]:
    """The cloud of a leftover stack; whichever, where it can't be read any more."""
    try:
        return (read_document(path).cloud,)
    except UnreadableError:
        return tuple(PROVIDERS)


def _settings_files(folder: Path) -> dict[str, Path]:
    """Deployment -> its settings file."""
    found = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        try:
            content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise UnreadableError(
                f"The settings file {path} can't be read: its stack can't be told from a leftover one.",
                hint="Mend it: `make synth` says what is wrong in it.",
            ) from error
        if isinstance(content, dict) and isinstance(content.get("name"), str):
            found[content["name"]] = path
    return found


def _notices(kept: Sequence[Document], settings: Mapping[str, Path] | None, wanted: Wanted) -> Iterator[str]:
    for document in kept if settings is not None else ():
        name = _deployment(document.path)
        file = settings.get(name) if settings else None
        if file is None:
            yield f"{document.path}: no settings file in {wanted.deployments} is of {name}."
        elif file.stat().st_mtime > document.path.stat().st_mtime:
            again = _synth(Wanted(document.cloud, name))
            yield (
                f"{document.path} is older than {file}: what is scanned is not what would be deployed."
                f" Run `{again}`."
            )


def _nothing(wanted: Wanted) -> UnreadableError:
    what = f" called {wanted.name}" if wanted.name else ""
    what += f" of {wanted.cloud}" if wanted.cloud else ""
    return UnreadableError(f"There is no synthesized stack{what}.", hint=f"Run `{_synth(wanted)}`.")


def _only_leftovers(wanted: Wanted, left: Sequence[Path]) -> UnreadableError:
    names = ", ".join(sorted({_deployment(path) for path in left}))
    return UnreadableError(
        f"Each synthesized stack is a leftover: {wanted.deployments} has no settings file of {names}.",
        hint=f"Run `{_synth(wanted)}`; or NAME=... scans a leftover one.",
    )


def _synth(wanted: Wanted) -> str:
    words = [f"CLOUD={wanted.cloud}"] if wanted.cloud else []
    return " ".join(["make synth", *words, *([f"NAME={wanted.name}"] if wanted.name else [])])
