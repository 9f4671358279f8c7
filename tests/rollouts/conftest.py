"""A store with registered versions of a stand-in, and endpoints of this machine to roll them out on."""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from registrations import DATASET, RUN, complete_card

from isocenter.cards import ModelCard
from isocenter.domain.artifact import MediaType
from isocenter.domain.model import ModelVersion
from isocenter.home import Home
from isocenter.registry.models import ModelRegistry
from isocenter.registry.opening import open_registry
from isocenter.rollouts.opening import open_operations
from isocenter.rollouts.operations import Operations
from isocenter.storage.artifacts import ArtifactStore

Register = Callable[..., ModelVersion]
SERVERS = Path(__file__).parents[1] / "servers"
TARGET = "this-machine"


@pytest.fixture(scope="session")
def local_endpoints() -> ModuleType:
    """tests/servers/local_endpoints.py; pytest's importlib mode puts no folder on the path."""
    if "local_endpoints" not in sys.modules:
        path = SERVERS / "local_endpoints.py"
        spec = importlib.util.spec_from_file_location("local_endpoints", path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["local_endpoints"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["local_endpoints"])
    return sys.modules["local_endpoints"]


@pytest.fixture
def registry(home: Home, monkeypatch: pytest.MonkeyPatch) -> ModelRegistry:
    monkeypatch.setenv("ISOCENTER_ACTOR", "alice")
    return open_registry(home)


@pytest.fixture
def register(home: Home, registry: ModelRegistry, tmp_path: Path) -> Register:
    """Registers the next version of ``cxr``; the stand-in behaves as told."""

    def make(card: ModelCard | None = None, **behaviour: Any) -> ModelVersion:
        folder = tmp_path / f"bundle-{len(registry.list('cxr')) + 1 if registry.list() else 1}"
        folder.mkdir()
        (folder / "behaviour.json").write_text(json.dumps({"version": folder.name, **behaviour}))
        artifact = ArtifactStore(home).publish(folder, name="model", media_type=MediaType.BUNDLE)
        return registry.register(
            "cxr", artifact, dataset_digest=DATASET, run=RUN, metrics={}, card=card or complete_card()
        )

    return make


@pytest.fixture
def target(home: Home, local_endpoints: ModuleType) -> Iterator[str]:
    """A target of this machine whose serving program is the stand-in."""
    folder = home.root / "deployments"
    folder.mkdir()
    settings = {"serving_entry_point": [sys.executable, str(SERVERS / "stand_in.py")], "ready_s": 60}
    descriptor = {"name": TARGET, "provider": "onprem", "backend": "local", "settings": settings}
    (folder / f"{TARGET}.json").write_text(json.dumps(descriptor))
    yield TARGET
    local_endpoints.end_all(home)


@pytest.fixture
def operations(home: Home, registry: ModelRegistry, target: str) -> Operations:
    return open_operations(home, target)
