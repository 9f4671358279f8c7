"""What a rule is, and what it looks at."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, cast

from isocenter.policy.walk import parts, texts
from isocenter.targets.descriptor import DeploymentDescriptor

Severity = Literal["low", "medium", "high", "critical"]


@dataclass(frozen=True)
class JobRequest:
    """A Submission as rules see it.

    Args:
        backend: whose request it is.
        request: in the provider's own terms.
        target: where it is going; None where nobody says.
    """

    backend: str
    request: Mapping[str, Any]
    target: DeploymentDescriptor | None = None

    def get(self, path: str) -> Any:
        """The value at the dotted ``path``; None where nothing stands there."""
        return look(self.request, path)

    @cached_property
    def parts(self) -> tuple[tuple[str, Mapping[str, Any]], ...]:
        """Each mapping in the request, with its place."""
        return tuple(parts(self.request))

    @cached_property
    def texts(self) -> tuple[tuple[str, str], ...]:
        """Each text in the request, with its place."""
        return tuple(texts(self.request))

    @property
    def known_target(self) -> DeploymentDescriptor:
        """The target, for rules with ``needs_target``."""
        assert self.target is not None  # noqa: S101 - a rule that needs one isn't asked without
        return self.target


@dataclass(frozen=True)
class Flaw:
    """One thing that isn't as a rule wants it.

    Args:
        place: field of the request, dotted.
        what: is wrong with it; never a secret's value.
    """

    place: str
    what: str = "is missing"


class Rule:
    """One rule. A rule's file defines a subclass and makes it: ``RULE = TheRule()``.

    It has a method for each service that it is about, called as the backend (``sagemaker``, ``vertex``,
    ``azureml``, ``kubernetes``), or one for all (``any_service``): from a :class:`JobRequest` to what breaks
    the rule.

    Class attributes:
        id: ``ISO_JOB_001``; never used again for another rule.
        severity: low, medium, high or critical.
        title: what is true when the rule is kept.
        why: what goes wrong otherwise; one sentence.
        fix: what to do; one sentence.
        control: number of the parity control that it serves.
        citations: paragraphs of 45 CFR that this control serves, as in ``policies/packs/hipaa.yaml``.
        needs_target: whether only the deployment's descriptor tells.
    """

    id: ClassVar[str]
    severity: ClassVar[Severity]
    title: ClassVar[str]
    why: ClassVar[str]
    fix: ClassVar[str]
    control: ClassVar[int]
    citations: ClassVar[tuple[str, ...]]
    needs_target: ClassVar[bool] = False

    def is_about(self, backend: str) -> bool:
        """Whether requests of this backend can keep or break it; this machine belongs to no deployment."""
        return self._judge(backend) is not None and not (self.needs_target and backend == "local")

    def flaws(self, job: JobRequest) -> Iterator[Flaw]:
        """What breaks the rule in ``job``, of a backend that it is about."""
        judge = self._judge(job.backend)
        if judge is not None:
            yield from judge(job)

    def _judge(self, backend: str) -> Callable[[JobRequest], Iterator[Flaw]] | None:
        found = getattr(self, backend, None) or getattr(self, "any_service", None)
        return cast(Callable[[JobRequest], Iterator[Flaw]] | None, found)


def look(value: Any, path: str) -> Any:
    """The value at the dotted ``path`` in mappings; None where nothing stands there."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
