"""`isocenter endpoint` as a user types it."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from registrations import DATASET, RUN, complete_card

from isocenter.cards import ModelCard
from isocenter.domain.artifact import MediaType
from isocenter.domain.rollout import Endpoint, EndpointState
from isocenter.domain.run import RunId
from isocenter.home import Home
from isocenter.registry.opening import open_registry
from isocenter.storage.artifacts import ArtifactStore

Cli = Callable[..., subprocess.CompletedProcess[str]]
SERVERS = Path(__file__).parents[1] / "servers"
TARGET = "this-machine"
REASON = ("--reason", "because")


@pytest.fixture(scope="module")
def local_endpoints() -> ModuleType:
    """tests/servers/local_endpoints.py; pytest's importlib mode puts no folder on the path."""
    spec = importlib.util.spec_from_file_location("cli_local_endpoints", SERVERS / "local_endpoints.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def store(
    home: Home, tmp_path: Path, local_endpoints: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Home]:
    """cxr:1 and cxr:2 with complete cards, cxr:3 with an empty one; a target that runs the stand-in."""
    monkeypatch.setenv("ISOCENTER_ACTOR", "alice")
    registry = open_registry(home)
    for number in (1, 2, 3):
        folder = tmp_path / f"bundle-{number}"
        folder.mkdir()
        (folder / "behaviour.json").write_text(json.dumps({"score": number / 10}))
        artifact = ArtifactStore(home).publish(folder, name="model", media_type=MediaType.BUNDLE)
        card = complete_card() if number < 3 else ModelCard(name="cxr")
        registry.register("cxr", artifact, dataset_digest=DATASET, run=RUN, metrics={}, card=card)
    settings = {"serving_entry_point": [sys.executable, str(SERVERS / "stand_in.py")]}
    descriptor = {"name": TARGET, "provider": "onprem", "backend": "local", "settings": settings}
    (home.root / "deployments").mkdir()
    (home.root / "deployments" / f"{TARGET}.json").write_text(json.dumps(descriptor))
    yield home
    local_endpoints.end_all(home)


def deploy(cli: Cli, *arguments: str) -> dict[str, Any]:
    done = cli("endpoint", "deploy", *arguments, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_empty_store(home: Home, isocenter_cli: Cli) -> None:
    assert "No endpoints yet" in isocenter_cli("endpoint", "status").stdout
    assert json.loads(isocenter_cli("endpoint", "status", "--json").stdout) == []
    for verb in (("status",), ("logs",), ("rollback",), ("shift", "10"), ("delete",)):
        done = isocenter_cli("endpoint", verb[0], "chest", *verb[1:])
        assert (done.returncode, "There is no endpoint 'chest'" in done.stderr) == (3, True), done.stderr


def test_from_deploy_to_delete(store: Home, isocenter_cli: Cli, local_endpoints: ModuleType) -> None:
    made = deploy(isocenter_cli, "chest", "cxr:1", "--target", TARGET, "--cpus", "1", *REASON)
    endpoint = Endpoint("chest", EndpointState.READY, RunId(made["step"]["rollout"]), made["url"])
    assert local_endpoints.post(endpoint)[1]["version"] == 1

    text = isocenter_cli("endpoint", "deploy", "chest", "cxr:2", "--canary", "10", *REASON)
    assert (text.returncode, f"chest serves cxr:1 90 %, cxr:2 10 % at {made['url']}" in text.stdout) == (
        0,
        True,
    )
    assert "cxr:2 starting" in text.stderr or "cxr:2 ready" in text.stderr

    shifted = isocenter_cli("endpoint", "shift", "chest", "100", *REASON)
    assert (shifted.returncode, "chest serves cxr:2 100 %" in shifted.stdout) == (0, True)
    back = isocenter_cli("endpoint", "rollback", "chest", "--reason", "scores are off")
    assert (back.returncode, "chest serves cxr:1 100 %" in back.stdout) == (0, True)
    assert local_endpoints.post(endpoint)[1]["version"] == 1

    found = json.loads(isocenter_cli("endpoint", "status", "chest", "--json").stdout)
    assert (found["state"], found["observed"]["cxr:1"]["requests"]) == ("ready", 1)
    assert [step["kind"] for step in found["history"]] == ["rollback", "promote", "canary", "deploy"]
    shown = isocenter_cli("endpoint", "status", "chest").stdout
    assert "scores are off" in shown and "alice" in shown
    assert "serving cxr:1" in isocenter_cli("endpoint", "logs", "chest").stdout
    assert "chest" in isocenter_cli("endpoint", "status").stdout

    gone = isocenter_cli("endpoint", "delete", "chest", *REASON)
    assert (gone.returncode, "chest is gone" in gone.stdout) == (0, True)
    after = json.loads(isocenter_cli("endpoint", "status", "chest", "--json").stdout)
    assert (after["state"], after["history"][0]["kind"]) == ("absent", "delete")
    assert isocenter_cli("audit", "verify").returncode == 0


def test_a_dry_run_prints_the_request_and_does_nothing(store: Home, isocenter_cli: Cli) -> None:
    command = ("endpoint", "deploy", "chest", "cxr:1", "--target", TARGET, "--dry-run", *REASON)
    planned = json.loads(isocenter_cli(*command).stdout)
    (variant,) = planned["request"]["variants"]
    assert variant["argv"][2:4] == ["serve", "--bundle"]
    assert (planned["server"], planned["step"]["kind"]) == ("local", "deploy")
    assert not (store.root / "endpoints").exists()
    assert json.loads(isocenter_cli("endpoint", "status", "--json").stdout) == []
    refused = isocenter_cli("endpoint", "deploy", "chest", "cxr:1", "--as", "champion", "--dry-run", *REASON)
    assert (refused.returncode, "no Approval" in refused.stderr) == (8, True)
    events = json.loads(isocenter_cli("audit", "list", "--json").stdout)
    assert {event["action"] for event in events} == {"model.register"}


IMAGE = "registry.hospital.example/serving@sha256:" + "ab" * 32
# Of each cloud what a request needs, and where in it the bounds are.
CLOUDS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "aws": (
        {
            "backend": "sagemaker",
            "region": "eu-central-1",
            "buckets": {"models": "s3://prod-models"},
            "identities": {"serving": "arn:aws:iam::123456789012:role/aws-prod-serving"},
            "settings": {"images": {"serving": IMAGE}},
        },
        ("MinCapacity", "MaxCapacity"),
    ),
    "gcp": (
        {
            "backend": "vertex",
            "region": "europe-west4",
            "buckets": {"models": "gs://prod-models"},
            "settings": {"project": "hospital", "images": {"serving": IMAGE}},
        },
        ("minReplicaCount", "maxReplicaCount"),
    ),
    "azure": (
        {
            "backend": "azureml",
            "region": "westeurope",
            "workspace": "prod",
            "buckets": {"models": "abfs://models@prodmodels.dfs.core.windows.net"},
            "settings": {
                "subscription": "11111111-2222-3333-4444-555555555555",
                "resource_group": "prod",
                "datastores": {"models": "isocenter_models"},
                "identity_ids": {"serving": "/subscriptions/1/resourceGroups/prod/serving"},
                "images": {"serving": IMAGE},
            },
        },
        ("minimum", "maximum"),
    ),
}


def found_at(value: Any, name: str) -> list[int]:
    """What a request says at ``name``, wherever that is."""
    if isinstance(value, dict):
        own = [int(value[name])] if name in value else []
        return own + [each for inner in value.values() for each in found_at(inner, name)]
    return [each for inner in value for each in found_at(inner, name)] if isinstance(value, list) else []


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_deployments_settings_bound_an_endpoint(store: Home, isocenter_cli: Cli, cloud: str) -> None:
    """By default a new endpoint has their bounds, and by no option others."""
    fields, places = CLOUDS[cloud]
    bounds = {"chest-xray": {"min_instances": 2, "max_instances": 5}}
    descriptor = {"name": f"{cloud}-prod", "provider": cloud, **fields, "endpoint_bounds": bounds}
    (store.root / "deployments" / f"{cloud}-prod.json").write_text(json.dumps(descriptor))
    command = ("--target", f"{cloud}-prod", "--dry-run", *REASON)

    def asked(*words: str) -> list[set[int]]:
        done = isocenter_cli("endpoint", "deploy", *words, "cxr:1", *command)
        assert done.returncode == 0, done.stderr
        return [set(found_at(json.loads(done.stdout)["request"], place)) for place in places]

    assert asked("chest-xray") == [{2}, {5}]
    assert asked("chest-xray", "--max-instances", "4") == [{2}, {4}]
    assert asked("chest-xray", "--min-instances", "3") == [{3}, {5}]
    assert asked("not-in-the-settings", "--min-instances", "7", "--max-instances", "9") == [{7}, {9}]
    for option, value, says in (
        ("--max-instances", "6", "2 to 6 instances"),
        ("--min-instances", "1", "1 to 5 instances"),
    ):
        refused = isocenter_cli("endpoint", "deploy", "chest-xray", "cxr:1", option, value, *command)
        assert refused.returncode == 3, refused.stderr
        assert f"would have {says}; the deployment {cloud}-prod allows 2 to 5 instances" in refused.stderr
        assert "run make deploy" in refused.stderr


def test_refusals_have_their_exit_codes(store: Home, isocenter_cli: Cli) -> None:
    at = ("--target", TARGET)
    for arguments, code, says in [
        (("cxr:1", *at), 8, "needs a reason"),
        (("cxr:3", *at, "--as", "champion", *REASON), 8, "no Approval as champion"),
        (("cxr:9", *at, *REASON), 3, "cxr"),
        (
            ("cxr:1", *at, "--canary", "10", *REASON),
            3,
            "no endpoint 'chest' that the version could stand beside",
        ),
        (("cxr:1", *at, "--canary", "10", "--shadow", *REASON), 2, "exclude each other"),
        (("cxr:1", *at, "--gpu", "l4", *REASON), 3, "asks for gpu"),
        (("cxr:1", *at, "--max-instances", "3", *REASON), 3, "asks for autoscaling"),
        (("cxr:1", *at, "--max-instances", "99999", *REASON), 2, "99999 is not in the range 1<=x<=100"),
        (("cxr:1", *at, "--min-instances", "101", *REASON), 2, "101 is not in the range 1<=x<=100"),
        (("cxr:1", *at, "--watch", "soon", *REASON), 3, "is no duration"),
        (("cxr:1", "--target", "mars", *REASON), 3, "There is no target 'mars'"),
        (("cxr@champion", *at, *REASON), 3, "champion"),
    ]:
        done = isocenter_cli("endpoint", "deploy", "chest", *arguments)
        assert (done.returncode, says in done.stderr) == (code, True), (arguments, done.stderr)
    bad_name = isocenter_cli("endpoint", "deploy", "Chest!", "cxr:1", *at, *REASON)
    assert (bad_name.returncode, "can't name an endpoint" in bad_name.stderr) == (3, True)


def test_a_target_that_can_not_be_asked_hides_no_other_endpoint(
    store: Home, isocenter_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one's target is a cloud at whose address nobody listens by now."""
    deployments = store.root / "deployments"
    here = json.loads((deployments / f"{TARGET}.json").read_text())
    (deployments / "away.json").write_text(json.dumps({**here, "name": "away"}))
    deploy(isocenter_cli, "chest", "cxr:1", "--target", TARGET, "--cpus", "1", *REASON)
    deploy(isocenter_cli, "lung", "cxr:2", "--target", "away", "--cpus", "1", *REASON)
    away = {"name": "away", "provider": "aws", **CLOUDS["aws"][0], "endpoints": {"aws": "http://127.0.0.1:1"}}
    (deployments / "away.json").write_text(json.dumps(away))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")

    shown = isocenter_cli("endpoint", "status")
    assert shown.returncode == 7
    rows = {
        line.split()[1]: line for line in shown.stdout.splitlines() if "│ chest" in line or "│ lung" in line
    }
    assert ("ready" in rows["chest"], "unknown" in rows["lung"]) == (True, True), shown.stdout
    assert "lung: " in shown.stderr and "chest: " not in shown.stderr
    told = isocenter_cli("endpoint", "status", "--json")
    found = {each["name"]: each for each in json.loads(told.stdout)}
    assert (told.returncode, found["chest"]["state"], found["lung"]["state"]) == (7, "ready", "unknown")
    assert found["lung"]["reason"]

    one = isocenter_cli("endpoint", "status", "lung", "--json")
    assert (one.returncode, json.loads(one.stdout)["history"][0]["kind"]) == (7, "deploy")
    text = isocenter_cli("endpoint", "status", "lung")
    assert (text.returncode, "History" in text.stdout, "lung: " in text.stderr) == (7, True, True)
    assert isocenter_cli("endpoint", "status", "chest").returncode == 0


def test_a_reference_by_champion_makes_the_endpoint_clinical(store: Home, isocenter_cli: Cli) -> None:
    isocenter_cli("model", "promote", "cxr:1", "--to", "champion", "--reason", "reviewed")
    deploy(isocenter_cli, "chest", "cxr@champion", "--target", TARGET, "--cpus", "1", *REASON)
    found = json.loads(isocenter_cli("endpoint", "status", "chest", "--json").stdout)
    assert found["alias"] == "champion"
    refused = isocenter_cli("endpoint", "deploy", "chest", "cxr:2", "--canary", "10", *REASON)
    assert (refused.returncode, "no Approval as champion or challenger" in refused.stderr) == (8, True)
    isocenter_cli("model", "promote", "cxr:2", "--to", "challenger", "--reason", "reviewed")
    for way in (("--canary", "10"), ("--shadow",)):
        refused = isocenter_cli("endpoint", "deploy", "chest", "cxr:2", *way, "--promote", *REASON)
        assert (refused.returncode, "cxr:2 has no Approval as champion;" in refused.stderr) == (8, True)
    found = json.loads(isocenter_cli("endpoint", "status", "chest", "--json").stdout)
    assert [step["kind"] for step in found["history"]] == ["deploy"]


def test_a_gate_that_fails_ends_with_4(store: Home, isocenter_cli: Cli) -> None:
    deploy(isocenter_cli, "chest", "cxr:1", "--target", TARGET, "--cpus", "1", *REASON)
    gates = ("--min-requests", "5", "--watch", "1s", "--wait", "1s", "--promote")
    done = isocenter_cli("endpoint", "deploy", "chest", "cxr:2", "--canary", "10", *gates, *REASON)
    assert (done.returncode, "requests 0, at least 5" in done.stderr) == (4, True), done.stderr
    found = json.loads(isocenter_cli("endpoint", "status", "chest", "--json").stdout)
    assert [(step["kind"], step["state"]) for step in found["history"]][:2] == [
        ("rollback", "succeeded"),
        ("canary", "failed"),
    ]


@pytest.mark.parametrize("verb", ["deploy", "status", "shift", "rollback", "logs", "delete"])
def test_help_shows_an_example_and_loads_little(isocenter_cli: Cli, verb: str) -> None:
    done = isocenter_cli("endpoint", verb, "--help")
    assert (done.returncode, f"isocenter endpoint {verb}" in done.stdout.split("Example")[1]) == (0, True)
    code = (
        "import sys\nfrom isocenter.cli.main import root\n"
        f"try:\n    root.main(['endpoint', '{verb}', '--help'])\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'aiohttp', 'sqlalchemy', 'pydantic', 'numpy', 'rich', 'yaml'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert loaded.returncode == 0, loaded.stderr


def test_make_rollback_passes_name_and_reason(tmp_path: Path) -> None:
    makefile = Path(__file__).parents[2] / "Makefile"
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    program = tmp_path / ".venv" / "bin" / "isocenter"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    program.chmod(0o755)
    (tmp_path / ".venv" / ".installed").touch()
    command = ["make", "-f", makefile, "-o", ".venv/.installed", "rollback", "NAME=chest"]
    # Within make, make says where it is.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        [*command, "REASON=it's $5 off"], cwd=tmp_path, env=alone, capture_output=True, text=True, check=True
    )
    assert done.stdout == "endpoint|rollback|chest|--reason|it's $5 off|"
    nameless = subprocess.run(
        command[:-1], cwd=tmp_path, env=alone, capture_output=True, text=True, check=False
    )
    assert nameless.returncode != 0 and "Which endpoint?" in nameless.stderr
