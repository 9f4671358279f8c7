"""A promotion while the target's registry is down: done here at once, carried later, with no reason in it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gcp_storage_emulator", reason="LACKS: pip install 'isocenter[gcp-emulator]'")

sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from emulated import emulator
from registrations import DATASET, RUN, complete_card

from isocenter.domain.artifact import MediaType
from isocenter.home import Home
from isocenter.mirrors.base import load_mirror
from isocenter.mirrors.vertex import VertexMirror
from isocenter.registry.opening import open_registry
from isocenter.storage.artifacts import ArtifactStore
from isocenter.targets.descriptor import load_descriptor

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
TARGET, REASON = "gcp-emulated", "CANARY: it was right about Mrs. X."


@pytest.fixture
def registered(home: Home, tmp_path: Path) -> None:
    """A version that is to be mirrored, as a run on that target would register it."""
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "weights").write_text("weights")
    artifact = ArtifactStore(home).publish(tmp_path / "bundle", name="model", media_type=MediaType.BUNDLE)
    open_registry(home).register(
        "cxr", artifact, dataset_digest=DATASET, run=RUN, metrics={}, card=complete_card(), mirror_to=TARGET
    )


def carried(isocenter_cli: Cli, outcome: str) -> list[dict[str, Any]]:
    """What the trail says about the mirror, the oldest first."""
    trail = json.loads(isocenter_cli("audit", "list", "--json").stdout)
    found = [each for each in trail if each["action"] == "model.carry" and each["outcome"] == outcome]
    return [each["details"] for each in reversed(found)]


def promote(isocenter_cli: Cli, alias: str, *more: str) -> "subprocess.CompletedProcess[str]":
    done = isocenter_cli("model", "promote", "cxr:1", "--to", alias, "--reason", REASON, *more)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "no library speaks for itself"
    return done


@pytest.mark.usefixtures("registered")
def test_a_promotion_waits_for_no_mirror_and_loses_none(home: Home, isocenter_cli: Cli) -> None:
    with emulator("gcp", home.root, ["/bin/true"]):
        rows = json.loads(isocenter_cli("model", "mirror", "--json").stdout)
        assert [row["state"] for row in rows] == ["carried"]
    (first,) = carried(isocenter_cli, "success")
    assert (first["target"], first["aliases"], first["approved"]) == (TARGET, [], False)
    assert "/models/cxr@1" in first["id"]

    told = promote(isocenter_cli, "champion").stdout.splitlines()
    assert told[0].startswith("cxr:1 is champion")
    assert len(told) == 2, "one line says what is late"
    assert TARGET in told[1]
    assert "isocenter model mirror" in told[1]
    assert promote(isocenter_cli, "shadow", "--json").returncode == 0
    (failed,) = carried(isocenter_cli, "failure")
    assert (failed["target"], failed["id"], failed["error"]) == (TARGET, first["id"], "transient")

    late = isocenter_cli("model", "mirror", "--now")
    assert late.returncode == 7
    assert "Traceback" not in late.stderr
    assert len(late.stderr.splitlines()) == 2, late.stderr
    assert len(carried(isocenter_cli, "failure")) == 1, "a mirror that stays down is said once"

    with emulator("gcp", home.root, ["/bin/true"]) as printed:
        rows = json.loads(isocenter_cli("model", "mirror", "--now", "--json").stdout)
        assert [row["state"] for row in rows] == ["carried"]
        mirror = load_mirror("vertex", load_descriptor(Path(printed["descriptor"])))
        assert isinstance(mirror, VertexMirror)
        theirs = mirror._get(first["id"])
    assert {"champion", "shadow"} <= {*theirs.version_aliases}
    assert theirs.labels["isocenter-approved"] == "yes"
    assert "CANARY" not in str(theirs), "a reason stays at home"
    assert carried(isocenter_cli, "success")[-1] == first | {
        "aliases": ["champion", "shadow"],
        "approved": True,
    }
    approvals = open_registry(home).approvals("cxr")
    assert {each.reason for each in approvals} == {REASON}
    assert json.loads(isocenter_cli("audit", "verify", "--json").stdout)["ok"] is True
