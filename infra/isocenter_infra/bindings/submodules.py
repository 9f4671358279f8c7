"""Which submodules of the providers' bindings a cloud's sources use."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_PREFIX = "cdktn_provider_"


def used_submodules(sources: Iterable[Path]) -> Mapping[str, tuple[str, ...]]:
    """Submodules by provider, from the import statements of Python files.

    Args:
        sources: the files of a cloud's stack and of what the clouds share.

    Returns:
        E.g. ``{"aws": ("kms_alias", "kms_key", "provider")}``, all sorted.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for path in sources:
        for name in _imported(ast.parse(path.read_text(encoding="utf-8"))):
            package, _, submodule = name.partition(".")
            if package.startswith(_PREFIX) and submodule:
                found[package.removeprefix(_PREFIX)].add(submodule.partition(".")[0])
    return {provider: tuple(sorted(found[provider])) for provider in sorted(found)}


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
