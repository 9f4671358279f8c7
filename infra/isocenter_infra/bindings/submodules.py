"""Which submodules of the providers' bindings a cloud's sources use."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

_PREFIX = "cdktn_provider_"


def used_submodules(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """Submodules by provider, from the import statements of the Python files in ``folder``.

    Args:
        folder: e.g. ``isocenter_infra/aws``.

    Returns:
        E.g. ``{"aws": ("kms_alias", "kms_key", "provider")}``, all sorted.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for path in folder.rglob("*.py"):
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
