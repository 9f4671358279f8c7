"""Which targets there are: ``local``, and one for each deployment descriptor.

Descriptors lie in ``$ISOCENTER_DEPLOYMENTS``, else in ``deployments`` in the current folder if it is there,
else in ``deployments`` in the store.
"""

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.errors import InputError, NotFoundError
from isocenter.home import Home
from isocenter.targets.target import LOCAL, Target

if TYPE_CHECKING:
    from isocenter.targets.descriptor import DeploymentDescriptor


def deployments_folder(home: Home) -> Path:
    """Where deployment descriptors lie; need not exist."""
    if os.environ.get("ISOCENTER_DEPLOYMENTS"):
        return Path(os.environ["ISOCENTER_DEPLOYMENTS"])
    here = Path("deployments")
    return here if here.is_dir() else home.root / "deployments"


def list_targets(home: Home) -> tuple[tuple[Target, ...], tuple[InputError, ...]]:
    """All targets, ``local`` first, the others by name; and what is wrong with descriptors that aren't any.

    Raises:
        InputError: two have the same name.
    """
    found, wrong = _read_targets(deployments_folder(home))
    return (LOCAL, *found), tuple(wrong.values())


def find_target(home: Home, name: str) -> Target:
    """The target called ``name``; wrong descriptors of others are passed over.

    Raises:
        NotFoundError: there is none; the hint names near ones.
        InputError: its descriptor is wrong, or two have the same name.
    """
    if name == LOCAL.name:
        return LOCAL
    found, wrong = _read_targets(deployments_folder(home))
    targets = {target.name: target for target in (LOCAL, *found)}
    if name in targets:
        return targets[name]
    for error in (wrong.get(f"{name}.json"), *wrong.values()):
        if error is not None:
            raise error
    near = difflib.get_close_matches(name, targets, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(targets)}."
    raise NotFoundError(f"There is no target {name!r}.", hint=hint)


def _read_targets(folder: Path) -> tuple[list[Target], dict[str, InputError]]:
    """The targets by name, and what is wrong with the descriptors that can't be read, by file."""
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        return [], {}
    from isocenter.targets.descriptor import read_descriptor

    found: list[Target] = []
    wrong: dict[str, InputError] = {}
    for path in files:
        try:
            found.append(read_descriptor(path))
        except InputError as error:
            wrong[path.name] = error
    names = [LOCAL.name, *(target.name for target in found)]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"More than one target is called {name!r}.", hint=f"Look in {folder}.")
    return sorted(found, key=lambda target: target.name), wrong


def find_descriptor(home: Home, name: str) -> "DeploymentDescriptor":
    """The descriptor of the target called ``name``.

    Raises:
        NotFoundError: there is no such target, or it is the built-in one, which has none.
        InputError: a descriptor is wrong.
    """
    target = find_target(home, name)
    if target == LOCAL:
        raise NotFoundError(
            "The target local is this machine: it has no descriptor.",
            hint="isocenter target show local says what it holds.",
        )
    from isocenter.targets.descriptor import load_descriptor

    return load_descriptor(deployments_folder(home) / target.origin)
