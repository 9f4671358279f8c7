"""What every rule of ours is: a checkov check that says why, how to mend it, and which control it keeps."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from isocenter_policies.lean_checkov import load_checkov

load_checkov()

from checkov.common.models.enums import CheckCategories, CheckResult  # noqa: E402
from checkov.terraform.checks.resource.base_resource_check import BaseResourceCheck  # noqa: E402

Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
_LINES = ("__startline__", "__endline__")


class Body:
    """A resource's arguments. Blocks and lists of blocks read alike: a path goes through both."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content

    def all(self, path: str) -> list[Any]:
        """The values at a dotted ``path``, of every block on the way; what is missing is left out."""
        return list(_values(self.content, path.split(".")))

    def get(self, path: str, default: object = None) -> object:
        """The first value at ``path``; ``default`` where there is none or it is null."""
        return next((value for value in self.all(path) if value is not None), default)

    def text(self, path: str) -> str:
        """The text at ``path``; empty for what is none."""
        value = self.get(path)
        return value if isinstance(value, str) else ""

    def mapping(self, path: str) -> Mapping[str, Any]:
        """The names and values at ``path``, of tags, labels or limits; empty where there are none."""
        value = self.get(path)
        return value if isinstance(value, Mapping) else {}

    def blocks(self, path: str) -> list["Body"]:
        """The blocks at ``path``."""
        return [Body(value) for value in self.all(path) if isinstance(value, Mapping)]

    def number(self, path: str, default: float = 0) -> float:
        """The number at ``path``; durations may be written ``7776000s``; ``default`` for what is none."""
        value = self.get(path, default)
        try:
            return default if isinstance(value, bool) else float(str(value).removesuffix("s"))
        except ValueError:
            return default

    def texts(self, path: str) -> list[str]:
        """The texts at ``path``, and those in lists there."""
        found = self.all(path)
        return [str(item) for value in found for item in (value if isinstance(value, list) else [value])]


def _values(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list) and (path or any(isinstance(item, Mapping) for item in value)):
        for item in value:
            yield from _values(item, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _values(value[path[0]], path[1:])


class Rule(BaseResourceCheck):  # type: ignore[misc]
    """One rule. A rule's file defines a subclass and makes it: ``CHECK = TheRule()``.

    Class attributes:
        id: ``ISO_AWS_001``; never used again for another rule.
        severity: low, medium, high or critical.
        title: what is true when the rule is kept.
        why: what goes wrong otherwise; one sentence.
        fix: what to set; one sentence.
        control: number of the parity control that it keeps.
        kinds: resource types, ``*`` matches; also ``provider.aws``, ``terraform.backend``, ``output``.
    """

    id: ClassVar[str]
    severity: ClassVar[Severity]
    title: ClassVar[str]
    why: ClassVar[str]
    fix: ClassVar[str]
    control: ClassVar[int]
    kinds: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        severity = self.severity
        super().__init__(
            name=self.title,
            id=self.id,
            categories=[CheckCategories.GENERAL_SECURITY],
            supported_resources=self.kinds,
        )
        self._address = ""
        self._content: Mapping[str, Any] = {}
        self.severity = severity  # type: ignore[misc]  # checkov sets it to None

    def look_at(self, address: str, content: Mapping[str, Any]) -> None:
        """Say which resource of which document comes next; the scan does."""
        self._address, self._content = address, content

    def resources(self, kind: str) -> dict[str, Body]:
        """The document's resources of this kind, by their address."""
        named = self._content.get("resource", {}).get(kind, {})
        return {f"{kind}.{name}": Body(body) for name, body in named.items()}

    def referring(self, kind: str) -> list[Body]:
        """The resources of this kind that refer to the one at hand."""
        reference = re.compile(re.escape(self._address) + r"\b(?!-)")
        return [body for body in self.resources(kind).values() if reference.search(str(body.content))]

    def providers(self, name: str) -> list[Body]:
        """The document's providers of this name; the default one comes first."""
        found = Body(self._content.get("provider", {})).blocks(name)
        return sorted(found, key=lambda provider: provider.get("alias") is not None)

    def holds(self, body: Body) -> bool | None:
        """Whether a resource keeps the rule; None where the rule isn't about it."""
        raise NotImplementedError

    def scan_resource_conf(self, conf: dict[str, Any]) -> CheckResult:
        """What checkov calls."""
        held = self.holds(Body(plain(conf)))
        if held is None:
            return CheckResult.UNKNOWN
        return CheckResult.PASSED if held else CheckResult.FAILED


def plain(conf: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments without the list of one that checkov puts around each."""
    return {key: _plain(value) for key, value in conf.items() if key not in (*_LINES, "//")}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        if len(value) == 1 and not isinstance(value[0], Mapping):
            return value[0]
        return [plain(item) if isinstance(item, Mapping) else item for item in value]
    return plain(value) if isinstance(value, Mapping) else value
