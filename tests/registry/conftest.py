"""A registry on each database, and bundles to register."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from registrations import DATASET, RUN, complete_card

from isocenter.audit import AuditTrail
from isocenter.cards import ModelCard
from isocenter.domain.artifact import Artifact, MediaType
from isocenter.domain.model import ModelVersion
from isocenter.home import Home
from isocenter.registry.models import ModelRegistry
from isocenter.storage.artifacts import ArtifactStore
from isocenter.storage.database import Database, open_database


@pytest.fixture
def database(records_home: Home) -> Database:
    return open_database(records_home)


@pytest.fixture
def trail(records_home: Home, database: Database) -> AuditTrail:
    return AuditTrail(records_home, database)


@pytest.fixture
def registry(records_home: Home, database: Database, trail: AuditTrail) -> ModelRegistry:
    return ModelRegistry(records_home, database, trail)


@pytest.fixture
def new_bundle(records_home: Home, tmp_path: Path) -> Callable[[], Artifact]:
    """Publishes a bundle that is like no other."""
    numbers = itertools.count()

    def publish() -> Artifact:
        folder = tmp_path / f"bundle-{next(numbers)}"
        folder.mkdir()
        (folder / "model.bin").write_text(folder.name)
        return ArtifactStore(records_home).publish(folder, name="model", media_type=MediaType.BUNDLE)

    return publish


@pytest.fixture
def register(registry: ModelRegistry, new_bundle: Callable[[], Artifact]) -> Callable[..., ModelVersion]:
    """Registers a new version with a complete card."""

    def make(name: str = "cxr", *, card: ModelCard | None = None) -> ModelVersion:
        return registry.register(
            name,
            new_bundle(),
            dataset_digest=DATASET,
            run=RUN,
            metrics={"auroc": {"value": 0.93, "low": 0.9, "high": 0.95}},
            card=card or complete_card(name),
        )

    return make
