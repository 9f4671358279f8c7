"""`isocenter model` as a user types it."""

import json
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from registrations import DATASET, RUN, complete_card, complete_fields

from isocenter.cards import ModelCard
from isocenter.domain.artifact import MediaType
from isocenter.domain.model import Alias
from isocenter.home import Home
from isocenter.registry.models import ModelRegistry
from isocenter.registry.opening import open_registry
from isocenter.storage.artifacts import ArtifactStore

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def registry(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelRegistry:
    """cxr:1 with a complete card, cxr:2 (challenger) with an empty one."""
    monkeypatch.setenv("ISOCENTER_ACTOR", "alice")
    registry = open_registry(home)
    for number, card in enumerate((complete_card(), ModelCard(name="cxr")), 1):
        folder = tmp_path / f"bundle-{number}"
        folder.mkdir()
        (folder / "model.bin").write_text(folder.name)
        artifact = ArtifactStore(home).publish(folder, name="model", media_type=MediaType.BUNDLE)
        metrics = {"auroc": {"value": 0.9 + number / 100, "low": 0.9, "high": 0.95}}
        version = registry.register(
            "cxr", artifact, dataset_digest=DATASET, run=RUN, metrics=metrics, card=card
        )
    registry.set_alias(version, Alias.CHALLENGER, "alice", "new")
    return registry


def test_an_empty_store(home: Home, isocenter_cli: Cli) -> None:
    listed = isocenter_cli("model", "list")
    assert (listed.returncode, "No models yet" in listed.stdout) == (0, True)
    assert json.loads(isocenter_cli("model", "list", "--json").stdout) == []
    shown = isocenter_cli("model", "show", "cxr")
    assert (shown.returncode, "No model 'cxr'" in shown.stderr) == (3, True)


def test_list_shows_versions_with_metric_and_alias(registry: ModelRegistry, isocenter_cli: Cli) -> None:
    text = isocenter_cli("model", "list").stdout
    assert "cxr:2" in text and "challenger" in text and "0.920 (0.900 to 0.950)" in text
    listed = json.loads(isocenter_cli("model", "list", "cxr", "--json").stdout)
    assert [item["reference"] for item in listed] == ["cxr:2", "cxr:1"]
    near = isocenter_cli("model", "list", "cxrr", "--json")
    assert near.returncode == 3
    assert "Did you mean cxr?" in json.loads(near.stdout)["error"]["hint"]


def test_show_tells_all_of_a_version(registry: ModelRegistry, isocenter_cli: Cli) -> None:
    found = json.loads(isocenter_cli("model", "show", "cxr@challenger", "--json").stdout)
    assert (found["reference"], found["aliases"], found["dataset_digest"]) == (
        "cxr:2",
        ["challenger"],
        DATASET,
    )
    assert found["card_revision"] == 1 and len(found["card_missing"]) > 20
    assert [(move["number"], move["actor"]) for move in found["alias_history"]] == [(2, "alice")]
    text = isocenter_cli("model", "show", "cxr:1").stdout
    assert "complete" in text and "auroc" in text and DATASET in text


def test_promote_moves_the_alias_and_says_who(registry: ModelRegistry, isocenter_cli: Cli) -> None:
    done = isocenter_cli("model", "promote", "cxr:1", "--to", "champion", "--reason", "reviewed")
    assert (done.returncode, done.stdout.strip()) == (0, "cxr:1 is champion, approved by alice.")
    found = json.loads(isocenter_cli("model", "show", "cxr@champion", "--json").stdout)
    assert found["number"] == 1
    assert [(a["actor"], a["reason"]) for a in found["approvals"]] == [("alice", "reviewed")]
    again = isocenter_cli("model", "promote", "cxr:1", "--to", "shadow", "--reason", "compare", "--json")
    assert json.loads(again.stdout)["alias"] == "shadow"


def test_an_incomplete_card_is_refused_with_its_fields(
    registry: ModelRegistry, isocenter_cli: Cli, tmp_path: Path
) -> None:
    refused = isocenter_cli("model", "promote", "cxr:2", "--to", "champion", "--reason", "hurry")
    assert refused.returncode == 8
    assert "source_attributes.purpose.intended_use" in refused.stderr
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(complete_fields()))
    updated = isocenter_cli("model", "card", "cxr:2", "--update", tmp_path / "card.yaml")
    assert (updated.returncode, "Revision 2" in updated.stdout) == (0, True)
    assert isocenter_cli("model", "promote", "cxr:2", "--to", "champion", "--reason", "ok").returncode == 0
    outcomes = [
        record["outcome"]
        for record in json.loads(isocenter_cli("audit", "list", "--action", "model.promote", "--json").stdout)
    ]
    assert outcomes == ["success", "denied"]


def test_promote_needs_a_reason(registry: ModelRegistry, isocenter_cli: Cli) -> None:
    assert isocenter_cli("model", "promote", "cxr:1", "--to", "champion").returncode == 2
    assert isocenter_cli("model", "promote", "cxr:1", "--to", "champion", "--reason", " ").returncode == 8
    assert isocenter_cli("model", "promote", "cxr:1", "--to", "king", "--reason", "x").returncode == 2


def test_a_damaged_bundle_is_not_promoted(registry: ModelRegistry, isocenter_cli: Cli) -> None:
    file = Path(registry.get("cxr:1").artifact_uri) / "model.bin"
    file.chmod(0o644)
    file.write_text("other")
    done = isocenter_cli("model", "promote", "cxr:1", "--to", "champion", "--reason", "x")
    assert (done.returncode, "model.bin" in done.stderr) == (6, True)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("update approvals set actor='Chief'", "approval of cxr:1 as champion"),
        ("delete from aliases where alias='champion'", "the champion of cxr is cxr:1; none is there"),
    ],
)
def test_audit_verify_finds_a_registry_that_was_changed_by_sql(
    registry: ModelRegistry, isocenter_cli: Cli, home: Home, statement: str, words: str
) -> None:
    registry.promote("cxr:1", Alias.CHAMPION, actor="alice", reason="reviewed")
    assert isocenter_cli("audit", "verify").returncode == 0
    with sqlite3.connect(home.root / "records.db") as connection:
        connection.execute(statement)
    connection.close()
    done = isocenter_cli("audit", "verify")
    assert (done.returncode, words in done.stdout) == (6, True), done.stdout
    assert "The registry was tampered with" in done.stdout
    found = json.loads(isocenter_cli("audit", "verify", "--json").stdout)
    assert (found["ok"], found["problems"][0]["fault"]) == (False, "registry")


def test_a_damaged_bundle_is_shown_as_damaged(registry: ModelRegistry, isocenter_cli: Cli) -> None:
    assert json.loads(isocenter_cli("model", "show", "cxr:1", "--json").stdout)["damage"] is None
    version = registry.get("cxr:1")
    file = Path(version.artifact_uri) / "model.bin"
    file.chmod(0o644)
    file.write_text(file.read_text() + "!")
    text = isocenter_cli("model", "show", "cxr:1")
    assert (text.returncode, "cxr:1" in text.stdout) == (6, True)
    assert version.artifact_digest in text.stderr and "model.bin" in text.stderr
    as_json = isocenter_cli("model", "show", "cxr:1", "--json")
    assert (as_json.returncode, "model.bin" in json.loads(as_json.stdout)["damage"]) == (6, True)
    assert isocenter_cli("model", "show", "cxr:2").returncode == 0


def test_the_card_in_its_forms(registry: ModelRegistry, isocenter_cli: Cli, tmp_path: Path) -> None:
    assert isocenter_cli("model", "card", "cxr:1").stdout.startswith("# Model card: cxr")
    assert isocenter_cli("model", "card", "cxr:1", "--markdown").stdout.startswith("# Model card: cxr")
    card = json.loads(isocenter_cli("model", "card", "cxr:1", "--json").stdout)
    assert ModelCard.model_validate(card) == complete_card()
    assert "is complete" in isocenter_cli("model", "card", "cxr:1", "--missing").stdout
    missing = json.loads(isocenter_cli("model", "card", "cxr:2", "--missing", "--json").stdout)["missing"]
    assert "mi_claim.reproducibility.tier" in missing
    template = isocenter_cli("model", "card", "--template").stdout
    assert set(yaml.safe_load(template)) == {"source_attributes", "mi_claim", "change_control"}


def test_a_card_update_that_says_nothing_new_makes_no_revision(
    registry: ModelRegistry, isocenter_cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "card.yaml"
    file.write_text("mi_claim: {performance: {primary_metric: AUPRC}}")
    results = [
        json.loads(isocenter_cli("model", "card", "cxr:2", "--update", file, "--json").stdout)
        for _ in range(2)
    ]
    assert [(result["revision"], result["changed"]) for result in results] == [(2, True), (2, False)]


def test_wrong_uses_of_card(registry: ModelRegistry, isocenter_cli: Cli, tmp_path: Path) -> None:
    assert isocenter_cli("model", "card").returncode == 2
    assert isocenter_cli("model", "card", "cxr:1", "--markdown", "--json").returncode == 2
    absent = isocenter_cli("model", "card", "cxr:1", "--update", tmp_path / "absent.yaml")
    assert (absent.returncode, "can't be read" in absent.stderr) == (3, True)
    (tmp_path / "card.yaml").write_text("facts: {}")
    wrong = isocenter_cli("model", "card", "cxr:1", "--update", tmp_path / "card.yaml")
    assert (wrong.returncode, "no section 'facts'" in wrong.stderr) == (3, True)
