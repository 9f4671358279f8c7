"""checkov, loaded without its two thousand checks and without a network client.

Importing checkov as it is takes four seconds: it loads every check of twenty providers, and the clients of
its own cloud service (aiohttp, boto3, docker, git). A scan of files needs neither. So the packages of checks
are laid out empty, and the checks that a pack names are loaded one by one; the clients are replaced by empty
modules. Both depend on how this very version is built, which is why it is pinned.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import logging
import os
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

# networkx is there for another graph than the one that is used.
_CLIENTS = frozenset(
    (
        "aiodns",
        "aiohttp",
        "aiomultiprocess",
        "boto3",
        "botocore",
        "cyclonedx",
        "docker",
        "git",
        "networkx",
        "requests",
        "urllib3",
    )
)
_CHECKS = "checkov.terraform.checks"
_ID = re.compile(r"CKV2?_[A-Z0-9]+_[0-9]+")
_PROVIDERS = ("aws", "azure", "gcp", "kubernetes")


class _Absent(ModuleType):
    """A module of which every name is a class without methods: it can be imported, derived from and made."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(name, (Exception,), {"__init__": lambda self, *args, **kwargs: None})
        setattr(self, name, made)
        return made


class _AbsentClients(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``_Absent`` modules for the clients."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        package = fullname.partition(".")[0]
        if package == "numpy":  # asteval does without it, and the scan evaluates no numbers
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        if package not in _CLIENTS:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Absent(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        return None


@cache
def checkov_root() -> Path:
    """The folder that checkov is installed in."""
    found = importlib.util.find_spec("checkov")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("checkov isn't installed here; `make .venv-policies/.installed` does it.")
    return Path(found.submodule_search_locations[0])


@cache
def load_checkov() -> None:
    """Make ``import checkov...`` cheap and silent. Call it before the first such import."""
    # It would log each check that it can't evaluate, and open a log of its own for the graph.
    os.environ.setdefault("LOG_LEVEL", "CRITICAL")
    os.environ["CHECKOV_CHECK_FAIL_LEVEL"] = "INFO"  # a check that breaks is reported by us, once
    sys.meta_path.insert(0, _AbsentClients())
    folder = checkov_root() / "terraform" / "checks"
    for package in (
        *(p for p in (folder / "resource").iterdir() if p.is_dir()),
        folder / "data",
        folder / "provider",
    ):
        _lay_out_empty(package)
    import_module("checkov.terraform_json.runner")
    _evaluate_only_json()
    logging.getLogger().setLevel(logging.CRITICAL)
    import_module(
        "colorama"
    ).deinit()  # checkov wraps the standard output, even of a program that prints no colour


def _evaluate_only_json() -> None:
    """Spare checkov what variables are for: a synthesized stack has none, and a reference stays a reference.

    It would follow each reference and try each text as a Python expression, which is most of its time. What
    its graph checks need is that a policy's JSON is taken apart.
    """
    rendering = "checkov.terraform.graph_builder.variable_rendering.renderer"
    renderer = import_module(rendering).TerraformVariableRenderer
    evaluate = renderer.evaluate_value

    def evaluate_json(self: Any, value: Any) -> Any:
        is_plain = isinstance(value, str) and not value.lstrip().startswith(("{", "["))
        return value if is_plain else evaluate(self, value)

    renderer.evaluate_value = evaluate_json
    renderer._render_variables_from_edges = lambda self: self.evaluate_non_rendered_values()


def _lay_out_empty(folder: Path) -> None:
    relative = folder.relative_to(checkov_root().parent)
    package = ModuleType(".".join(relative.parts))
    package.__path__ = [str(folder)]
    package.__dict__["__all__"] = []
    sys.modules[package.__name__] = package


def load_python_checks(ids: Collection[str] | None) -> None:
    """Register the built-in Python checks with these ids, or all of the clouds that Isocenter is for."""
    import_module(f"{_CHECKS}.provider.registry")
    for file in _python_files():
        if ids is None or _mentions(file, ids):
            relative = file.relative_to(checkov_root().parent).with_suffix("")
            import_module(".".join(relative.parts))


def graph_files(ids: Collection[str] | None) -> Iterator[Path]:
    """Files of the built-in graph checks with these ids, or of all."""
    folder = checkov_root() / "terraform" / "checks" / "graph_checks"
    for provider in _PROVIDERS:
        for file in sorted((folder / provider).rglob("*.*")):
            if file.suffix in {".json", ".yaml"} and (ids is None or _mentions(file, ids)):
                yield file


def _python_files() -> Iterator[Path]:
    folder = checkov_root() / "terraform" / "checks"
    for parent in (*(folder / "resource" / name for name in _PROVIDERS), folder / "provider"):
        for file in sorted(parent.rglob("*.py")):
            if not file.name.startswith("__") and file.name not in {
                "registry.py",
                "base_registry.py",
                "base_check.py",
            }:
                yield file


def _mentions(file: Path, ids: Collection[str]) -> bool:
    return any(id_ in ids for id_ in _ID.findall(file.read_text(encoding="utf-8")))
