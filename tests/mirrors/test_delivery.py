"""Versions reach a mirror whatever happens to it: what is due is known from the registry alone."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from registrations import DATASET, RUN, complete_card

from isocenter.domain.artifact import Artifact, MediaType
from isocenter.domain.model import Alias, ModelVersion
from isocenter.errors import TransientFaultError
from isocenter.home import Home
from isocenter.mirrors.base import Mirror, MirroredVersion
from isocenter.mirrors.delivery import Delivery, deliver
from isocenter.registry.mirror_records import mirrors_of
from isocenter.registry.models import ModelRegistry
from isocenter.registry.opening import open_registry
from isocenter.storage.artifacts import ArtifactStore
from isocenter.storage.database import open_database
from isocenter.targets.descriptor import DeploymentDescriptor


@dataclass
class MemoryMirror:
    """A registry in memory, whose calls fail while ``down``, or from the n-th on."""

    versions: dict[str, MirroredVersion] = field(default_factory=dict)
    aliases: dict[str, frozenset[str]] = field(default_factory=dict)
    approvals: dict[str, bool] = field(default_factory=dict)
    calls: int = 0
    down_from: int | None = None

    def _call(self) -> None:
        self.calls += 1
        if self.down_from is not None and self.calls >= self.down_from:
            raise TransientFaultError("The registry is down.")

    def register(self, version: MirroredVersion) -> str:
        self._call()
        provider_id = f"theirs/{version.name}/{version.number}"
        assert self.versions.setdefault(provider_id, version) == version
        return provider_id

    def set_aliases(self, provider_id: str, aliases: frozenset[str]) -> None:
        self._call()
        self.aliases[provider_id] = aliases

    def set_approval(self, provider_id: str, approved: bool) -> None:
        self._call()
        self.approvals[provider_id] = approved


@pytest.fixture
def target(home: Home, tmp_path: Path) -> DeploymentDescriptor:
    """A deployed target whose buckets are folders here."""
    buckets = {name: f"file://{tmp_path}/buckets/{name}" for name in ("data", "models")}
    descriptor = DeploymentDescriptor(name="aws-prod", provider="aws", backend="sagemaker", buckets=buckets)
    (home.root / "deployments").mkdir()
    (home.root / "deployments" / "aws-prod.json").write_text(descriptor.model_dump_json())
    return descriptor


@pytest.fixture
def registry(home: Home, target: DeploymentDescriptor) -> ModelRegistry:
    return open_registry(home)


@pytest.fixture
def register(home: Home, registry: ModelRegistry, tmp_path: Path) -> Callable[[str], ModelVersion]:
    def made(content: str) -> ModelVersion:
        folder = tmp_path / f"bundle-{content}"
        folder.mkdir()
        (folder / "weights").write_text(content)
        artifact: Artifact = ArtifactStore(home).publish(folder, name="model", media_type=MediaType.BUNDLE)
        return registry.register(
            "cxr",
            artifact,
            dataset_digest=DATASET,
            run=RUN,
            metrics={"auroc": {"value": 0.9, "low": 0.8, "high": 1.0}, "brier": {"value": None}},
            card=complete_card(),
            mirror_to="aws-prod",
        )

    return made


@pytest.fixture
def mirror() -> MemoryMirror:
    return MemoryMirror()


@pytest.fixture
def carry(home: Home, registry: ModelRegistry, mirror: MemoryMirror) -> Callable[..., list[Delivery]]:
    def round_(*, at_once: bool = True) -> list[Delivery]:
        opener: Callable[[str, DeploymentDescriptor], Mirror | None] = lambda backend, descriptor: mirror  # noqa: E731
        return list(deliver(home, open_database(home), registry, at_once=at_once, opener=opener))

    return round_


Register = Callable[[str], ModelVersion]
Carry = Callable[..., list[Delivery]]


def test_a_version_is_carried_once_with_its_bundle(
    register: Register, carry: Carry, mirror: MemoryMirror, tmp_path: Path
) -> None:
    version = register("one")
    assert [each.state for each in carry()] == ["carried"]
    (carried,) = mirror.versions.values()
    assert (carried.name, carried.number, carried.digest) == ("cxr", 1, version.artifact_digest)
    assert carried.metrics == {"auroc": 0.9}
    assert carried.labels == {"dataset": DATASET, "run": RUN}
    assert (Path(carried.artifact_uri.removeprefix("file://")) / "weights").read_text() == "one"
    calls = mirror.calls
    assert [each.state for each in carry()] == ["unchanged"]
    assert mirror.calls == calls


def test_aliases_and_approvals_follow(
    register: Register, carry: Carry, mirror: MemoryMirror, registry: ModelRegistry
) -> None:
    one, two = register("one"), register("two")
    registry.set_alias(one, Alias.CHALLENGER, "anna", "first")
    carry()
    assert mirror.aliases == {"theirs/cxr/1": frozenset({"challenger"}), "theirs/cxr/2": frozenset()}
    assert mirror.approvals == {}, "a new version waits for its approval; that is no rejection"
    registry.set_alias(two, Alias.CHALLENGER, "anna", "better")
    registry.promote("cxr:1", Alias.CHAMPION, actor="board", reason="the board said so")
    assert {each.state for each in carry()} == {"carried"}
    assert mirror.aliases == {
        "theirs/cxr/1": frozenset({"champion"}),
        "theirs/cxr/2": frozenset({"challenger"}),
    }
    assert mirror.approvals == {"theirs/cxr/1": True}


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_mirror_that_fails_at_any_call_delays_and_loses_nothing(
    register: Register, carry: Carry, mirror: MemoryMirror, registry: ModelRegistry, home: Home, call: int
) -> None:
    version = register("one")
    registry.promote("cxr:1", Alias.CHAMPION, actor="board", reason="the board said so")
    mirror.down_from = call
    (failed,) = carry()
    assert (failed.state, failed.error) == ("failed", "The registry is down.")
    assert [each.state for each in carry(at_once=False)] == ["waiting"], "it is not asked again at once"
    (record,) = mirrors_of(open_database(home), version)
    assert (record.attempts, record.error) == (1, "The registry is down.")
    mirror.down_from = None
    assert [each.state for each in carry()] == ["carried"]
    (record,) = mirrors_of(open_database(home), version)
    assert (record.provider_id, record.attempts, record.error) == ("theirs/cxr/1", 0, None)
    assert len(mirror.versions) == 1


def test_what_changed_while_a_mirror_was_down_arrives_as_it_is_now(
    register: Register, carry: Carry, mirror: MemoryMirror, registry: ModelRegistry
) -> None:
    version = register("one")
    mirror.down_from = 1
    carry()
    registry.set_alias(version, Alias.CHALLENGER, "anna", "first")
    registry.promote("cxr:1", Alias.CHAMPION, actor="board", reason="approved")
    carry()
    mirror.down_from = None
    carry()
    assert mirror.aliases == {"theirs/cxr/1": frozenset({"challenger", "champion"})}
    assert mirror.approvals == {"theirs/cxr/1": True}


def test_one_target_that_is_gone_keeps_no_other_back(
    register: Register, carry: Carry, mirror: MemoryMirror, registry: ModelRegistry, home: Home
) -> None:
    version = register("one")
    deployments = home.root / "deployments"
    replace_name(deployments / "aws-prod.json", "aws-gone")
    registry.mirror(version, "aws-gone")
    (deployments / "aws-gone.json").unlink()
    states = {each.record.target: each.state for each in carry()}
    assert states == {"aws-gone": "failed", "aws-prod": "carried"}


def replace_name(path: Path, name: str) -> None:
    descriptor = DeploymentDescriptor.model_validate_json(path.read_bytes())
    path.with_name(f"{name}.json").write_text(descriptor.model_copy(update={"name": name}).model_dump_json())


def test_a_version_without_a_target_is_mirrored_nowhere(
    home: Home, registry: ModelRegistry, carry: Carry, tmp_path: Path
) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "w").write_text("w")
    artifact = ArtifactStore(home).publish(tmp_path / "b", name="model", media_type=MediaType.BUNDLE)
    version = registry.register(
        "cxr", replace(artifact), dataset_digest=DATASET, run=RUN, metrics={}, card=complete_card()
    )
    assert carry() == []
    assert mirrors_of(open_database(home), version) == ()
