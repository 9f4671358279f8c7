"""The rules that a scan runs: ours, one a file, and the built-in ones of checkov that a pack lists."""

import importlib.util
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from isocenter_policies.errors import UnreadableError
from isocenter_policies.lean_checkov import graph_files, load_python_checks
from isocenter_policies.pack import Pack
from isocenter_policies.rule import Rule, Severity

from checkov.common.checks_infra.registry import Registry, get_graph_checks_registry  # isort: skip
from checkov.terraform.checks.provider.registry import provider_registry  # isort: skip
from checkov.terraform.checks.resource.registry import resource_registry  # isort: skip

POLICIES = Path(__file__).parents[1]
FOLDERS = ("aws", "gcp", "azure", "kubernetes", "any")
_OWN_KEYS = ("severity", "why", "fix", "control")
_FAST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Which = Literal["pack", "own", "built-in"]
"""The pack's rules (of ours and of checkov), only ours, or all of checkov's and none of ours."""


@dataclass(frozen=True)
class RuleInfo:
    """What is said of a rule in a report."""

    id: str
    severity: Severity
    title: str
    why: str
    fix: str
    control: int
    citations: tuple[str, ...] = ()
    file: str = ""


@dataclass(frozen=True)
class Catalogue:
    """The rules of one scan; they are also registered with checkov.

    Args:
        rules: id -> what is said of it.
        kinds: id -> resource types that it is about.
    """

    rules: Mapping[str, RuleInfo]
    kinds: Mapping[str, frozenset[str]] = field(default_factory=dict)


def load_catalogue(pack: Pack, which: Which = "pack") -> Catalogue:
    """Load the rules of a scan.

    Raises:
        UnreadableError: a rule's file is broken, or the pack lists a rule that isn't there.
    """
    own = {} if which == "built-in" else _load_own()
    wanted = None if which == "built-in" else {r for r in pack.controls if which == "pack" and r not in own}
    load_python_checks(wanted)
    registry = get_graph_checks_registry("terraform")
    for file in graph_files(wanted):
        _register_graph_check(registry, file)
    registry.internal_checks_dir_loaded = True
    rules = {**own, **dict(_built_in(registry, pack, wanted, own))}
    if which == "pack":
        _compare(pack, rules)
        rules = {id_: _cite(rule, pack) for id_, rule in rules.items() if id_ in pack.controls}
    return Catalogue(rules, _kinds(registry))


def _load_own() -> dict[str, RuleInfo]:
    found: dict[str, RuleInfo] = {}
    registry = get_graph_checks_registry("terraform")
    for folder in FOLDERS:
        for file in sorted((POLICIES / folder).iterdir()):
            if file.suffix == ".py":
                info = _from_python(file)
            elif file.suffix == ".yaml":
                info = _from_graph(_register_graph_check(registry, file), file)
            else:
                continue
            if info.id in found:
                raise UnreadableError(f"{file} and {found[info.id].file} are both {info.id}.")
            found[info.id] = info
    return found


def _from_python(file: Path) -> RuleInfo:
    name = f"isocenter_policies.rules.{file.parent.name}.{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None  # noqa: S101 - a .py file always has one
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rule = getattr(module, "CHECK", None)
    if not isinstance(rule, Rule):
        raise UnreadableError(f"{file} makes no rule named CHECK.", hint="See policies/README.md.")
    return RuleInfo(
        rule.id, rule.severity, rule.title, rule.why, rule.fix, rule.control, file=_relative(file)
    )


def _from_graph(content: Mapping[str, Any], file: Path) -> RuleInfo:
    metadata = content["metadata"]
    if missing := [key for key in _OWN_KEYS if key not in metadata]:
        raise UnreadableError(f"{file}: metadata lacks {', '.join(missing)}.")
    texts = {key: " ".join(str(metadata[key]).split()) for key in ("id", "name", "why", "fix")}
    return RuleInfo(
        texts["id"], metadata["severity"], texts["name"], texts["why"], texts["fix"], metadata["control"],
        file=_relative(file),
    )  # fmt: skip


def _register_graph_check(registry: Registry, file: Path) -> dict[str, Any]:
    content: dict[str, Any] = _read(file)
    types = registry._get_resource_types(content)
    check = registry.parser.parse_raw_check(content, resources_types=types, check_path=str(file))
    if all(check.id != other.id for other in registry.checks):
        registry.checks.append(check)
    return content


def _read(file: Path) -> Any:
    text = file.read_text(encoding="utf-8")
    return json.loads(text) if file.suffix == ".json" else yaml.load(text, Loader=_FAST_LOADER)  # noqa: S506


def _built_in(
    registry: Registry, pack: Pack, wanted: set[str] | None, own: Mapping[str, RuleInfo]
) -> Iterator[tuple[str, RuleInfo]]:
    """checkov's rules as the pack speaks of them; it says neither severity nor reason without its service."""
    python = [check for r in (resource_registry, provider_registry) for _, check in r.all_checks()]
    for check in (*python, *registry.checks):
        if check.id in own or isinstance(check, Rule) or (wanted is not None and check.id not in wanted):
            continue
        control = pack.controls.get(check.id)
        yield (
            check.id,
            RuleInfo(
                id=check.id,
                severity=control.severity if control else "medium",
                title=check.name.rstrip("."),
                why=control.why if control else "",
                fix=f"{check.name.rstrip('.')}.",
                control=control.number if control else 0,
                file="checkov",
            ),
        )


def _compare(pack: Pack, rules: Mapping[str, RuleInfo]) -> None:
    if missing := sorted(set(pack.controls) - set(rules)):
        raise UnreadableError(f"The pack {pack.name} lists {', '.join(missing)}: there is no such rule.")
    for id_, control in pack.controls.items():
        if rules[id_].control != control.number:
            raise UnreadableError(
                f"The pack {pack.name} lists {id_} under control {control.number};"
                f" it keeps {rules[id_].control}."
            )


def _cite(rule: RuleInfo, pack: Pack) -> RuleInfo:
    return RuleInfo(**{**vars(rule), "citations": pack.controls[rule.id].citations})


def _kinds(registry: Registry) -> dict[str, frozenset[str]]:
    found = {
        c.id: frozenset(c.supported_entities)
        for r in (resource_registry, provider_registry)
        for _, c in r.all_checks()
    }
    return found | {check.id: frozenset(check.resource_types) for check in registry.checks}


def _relative(file: Path) -> str:
    return str(file.relative_to(POLICIES.parent))
