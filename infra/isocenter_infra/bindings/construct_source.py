"""Where in our Python sources each resource is made: for findings that name file and line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cdktn import TerraformElement

# jsii carries no stack trace of its host into a construct's metadata, and has no public hook.
from jsii._runtime import JSIIMeta

_ROOT = Path(__file__).parents[1]
_HERE = Path(__file__).parent


class ConstructSources:
    """The file and line of each Terraform element that was made."""

    def __init__(self) -> None:
        self._made: list[tuple[TerraformElement, str]] = []

    def remember(self, made: TerraformElement) -> None:
        """Remember that our code, further up the stack, made ``made``."""
        self._made.append((made, _caller()))

    def by_path(self) -> dict[str, str]:
        """Construct path -> ``aws/keys.py:42``, relative to the package."""
        return {made.node.path: source for made, source in self._made if source}


@contextmanager
def watched_constructs() -> Iterator[ConstructSources]:
    """Remember the sources of what is made within the ``with`` block."""
    sources = ConstructSources()
    create = JSIIMeta.__call__

    def create_and_remember(cls: Any, *args: Any, **kwargs: Any) -> Any:
        made = create(cls, *args, **kwargs)
        if isinstance(made, TerraformElement):
            sources.remember(made)
        return made

    JSIIMeta.__call__ = create_and_remember  # type: ignore[method-assign]
    try:
        yield sources
    finally:
        JSIIMeta.__call__ = create  # type: ignore[method-assign]


def _caller() -> str:
    """The innermost place in a concern's file: the last one of our frames that isn't here."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_ROOT) and not path.is_relative_to(_HERE):
            return f"{path.relative_to(_ROOT)}:{frame.f_lineno}"
    return ""
