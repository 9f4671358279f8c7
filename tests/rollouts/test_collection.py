"""The supervisor has denials audited and features shipped while the endpoint answers, and at its end."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from isocenter.audit import AuditTrail
from isocenter.domain.model import ModelVersion
from isocenter.home import Home
from isocenter.registry.models import ModelRegistry
from isocenter.rollouts.opening import open_operations
from isocenter.rollouts.operations import Operations
from isocenter.rollouts.planning import Wish
from isocenter.storage.database import open_database
from isocenter_serving.access import Denied
from isocenter_serving.access.denials import DenialLog

STAND_IN = Path(__file__).parents[1] / "servers" / "stand_in.py"
WISH = Wish("alice", "because")


@pytest.fixture
def operations(
    home: Home, registry: ModelRegistry, tmp_path: Path, local_endpoints: ModuleType
) -> Iterator[Operations]:
    """On a target of this machine with a share for data, whose denials are collected all the time."""
    settings = {"serving_entry_point": [sys.executable, str(STAND_IN)], "collect_s": 0.2}
    descriptor = {"name": "here", "provider": "onprem", "backend": "local", "settings": settings}
    descriptor["buckets"] = {"data": f"file://{tmp_path}/share"}
    folder = home.root / "deployments"
    folder.mkdir()
    (folder / "here.json").write_text(json.dumps(descriptor))
    yield open_operations(home, "here")
    local_endpoints.end_all(home)


def denied(home: Home) -> list[str]:
    trail = AuditTrail(home, open_database(home))
    return [record.as_json()["details"]["request"] for record in trail.list(action="endpoint.access")]


def test_denials_and_features_are_collected(
    home: Home,
    tmp_path: Path,
    operations: Operations,
    register: Callable[..., ModelVersion],
    local_endpoints: ModuleType,
) -> None:
    operations.run(operations.plan_deploy("chest", register(score=0.3), WISH))
    key = local_endpoints.key_of(home, "cxr:1")
    kept = local_endpoints.files_of(home).group(key) / "capture"
    DenialLog(kept / "denials").record(Denied(401, "expired"), "first")
    ready = kept / "features" / "ready"
    ready.mkdir(parents=True)
    (ready / "a.jsonl").write_text("{}\n")
    shipped = tmp_path / "share" / "captures" / "chest"
    local_endpoints.wait_for(lambda: denied(home) == ["first"] and (shipped / "a.jsonl").exists(), seconds=90)
    local_endpoints.wait_for(lambda: not list(ready.iterdir()), seconds=60)

    DenialLog(kept / "denials").record(Denied(401, "expired"), "last")
    (ready / "b.jsonl").write_text("{}\n")
    operations.delete("chest", WISH)
    assert sorted(denied(home)) == ["first", "last"]
    assert sorted(path.name for path in shipped.iterdir()) == ["a.jsonl", "b.jsonl"]
    assert AuditTrail(home, open_database(home)).verify().ok
