"""Steps of endpoints on this machine, with real processes behind them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from isocenter.audit import AuditTrail
from isocenter.cards import ModelCard
from isocenter.domain.model import Alias, ModelVersion
from isocenter.domain.rollout import EndpointState
from isocenter.errors import GateFailedError, InputError, IntegrityError, JobFailedError, PolicyError
from isocenter.home import Home
from isocenter.registry.models import ModelRegistry
from isocenter.rollouts.gates import Gates
from isocenter.rollouts.opening import open_operations
from isocenter.rollouts.operations import Operations
from isocenter.rollouts.planning import Wish
from isocenter.rollouts.records import Kind, RolloutState, Step
from isocenter.storage.database import open_database

Register = Callable[..., ModelVersion]
NAME = "chest"
WISH = Wish("alice", "because")
CANARY = replace(WISH, canary=10)


def deploy(operations: Operations, version: ModelVersion, wish: Wish = WISH) -> Step:
    return operations.run(operations.plan_deploy(NAME, version, wish))


def shift(operations: Operations, percent: int) -> Step:
    return operations.run(operations.plan_shift(NAME, percent, WISH))


def rollback(operations: Operations) -> Step:
    return operations.run(operations.plan_rollback(NAME, replace(WISH, actor="bob", reason="it is off")))


def split(operations: Operations) -> dict[str, int]:
    found = operations.driver.server.describe(NAME)
    assert found is not None
    return {v.reference: v.weight for v in found.variants if v.weight}


def told(operations: Operations) -> list[tuple[str, str]]:
    """Kind and state of each step, the oldest first."""
    return [(s.kind.value, s.state.value) for s in reversed(operations.records.history(NAME))]


def test_the_whole_story(operations: Operations, register: Register, home: Home) -> None:
    one, two = register(), register()
    deploy(operations, one)
    assert split(operations) == {"cxr:1": 100}
    deploy(operations, two, CANARY)
    assert split(operations) == {"cxr:1": 90, "cxr:2": 10}
    shift(operations, 25)
    assert split(operations) == {"cxr:1": 75, "cxr:2": 25}
    shift(operations, 0)
    assert split(operations) == {"cxr:1": 100}
    shift(operations, 100)
    assert split(operations) == {"cxr:2": 100}
    back = rollback(operations)
    assert (split(operations), back.actor, back.reason) == ({"cxr:1": 100}, "bob", "it is off")
    with pytest.raises(InputError, match="served nothing else"):
        rollback(operations)
    operations.delete(NAME, WISH)
    assert operations.driver.server.describe(NAME) is None
    assert operations.records.endpoint(NAME) is None
    kinds = ["deploy", "canary", "canary", "shadow", "promote", "rollback", "delete"]
    assert told(operations) == [(kind, "succeeded") for kind in kinds]
    trail = AuditTrail(home, open_database(home))
    assert trail.verify().ok
    records = trail.list(object_=f"endpoint:{NAME}")
    assert len(records) == 2 * len(kinds)
    assert {record.actor for record in records} == {"alice", "bob"}


def test_rolling_back_again_goes_further_back(operations: Operations, register: Register) -> None:
    for version in (register(), register(), register()):
        deploy(operations, version)
    assert split(operations) == {"cxr:3": 100}
    rollback(operations)
    assert split(operations) == {"cxr:2": 100}
    rollback(operations)
    assert split(operations) == {"cxr:1": 100}


def test_a_rollback_from_a_canary_ends_it(operations: Operations, register: Register) -> None:
    deploy(operations, register())
    deploy(operations, register(), CANARY)
    rollback(operations)
    assert split(operations) == {"cxr:1": 100}


def test_the_same_deploy_again_is_no_new_step(operations: Operations, register: Register) -> None:
    one = register()
    assert deploy(operations, one).rollout.id == deploy(operations, one).rollout.id
    assert len(operations.records.history(NAME)) == 1


def test_a_version_that_does_not_get_ready_is_taken_back(operations: Operations, register: Register) -> None:
    deploy(operations, register())
    with pytest.raises(JobFailedError, match="no weights"):
        deploy(operations, register(fails="There are no weights."))
    assert split(operations) == {"cxr:1": 100}
    assert told(operations) == [("deploy", "succeeded"), ("deploy", "failed"), ("rollback", "succeeded")]
    back, failed, _ = operations.records.history(NAME)
    assert "no weights" in (failed.outcome or "")
    assert back.reason.startswith("By itself: ")


def test_a_first_version_that_does_not_get_ready_can_be_replaced(
    operations: Operations, register: Register
) -> None:
    with pytest.raises(JobFailedError):
        deploy(operations, register(fails="no"))
    deploy(operations, register())
    assert split(operations) == {"cxr:2": 100}


@pytest.fixture
def asking(operations: Operations, local_endpoints: ModuleType) -> Any:
    """Asks the endpoint all the time, as soon as it is there."""
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(0.005):
            endpoint = operations.driver.server.describe(NAME)
            if endpoint is not None and endpoint.variants and endpoint.url:
                try:
                    local_endpoints.post(endpoint)
                except OSError:
                    continue

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    ended.set()
    thread.join()


GATES = Gates(min_requests=5, watch_s=0.5, wait_s=30)


@pytest.mark.usefixtures("asking")
def test_gates_that_hold_promote(operations: Operations, register: Register) -> None:
    deploy(operations, register(score=0.3))
    gates = replace(GATES, p99_s=5.0, abstention_rate=0.0, score_shift=0.05)
    step = deploy(operations, register(score=0.32), replace(CANARY, canary=50, gates=gates, promotes=True))
    assert (step.kind, split(operations)) == (Kind.PROMOTE, {"cxr:2": 100})
    assert told(operations) == [("deploy", "succeeded"), ("canary", "succeeded"), ("promote", "succeeded")]


@pytest.mark.usefixtures("asking")
@pytest.mark.parametrize(
    ("behaviour", "gates", "says"),
    [
        ({"status": 500}, GATES, "error-rate 1, at most 0.01"),
        ({"status": 422}, replace(GATES, wait_s=3), "requests 0, at least 5"),
        ({"delay_s": 0.2}, replace(GATES, p99_s=0.1), "p99 0.2"),
        ({"decision": "abstained"}, replace(GATES, abstention_rate=0.5), "abstention-rate 1, at most 0.5"),
        ({"score": 0.9}, replace(GATES, score_shift=0.1), "score-shift 0.6, at most 0.1"),
    ],
)
def test_a_gate_that_fails_rolls_back_by_itself_and_says_why(
    operations: Operations, register: Register, behaviour: dict[str, Any], gates: Gates, says: str
) -> None:
    deploy(operations, register(score=0.3))
    with pytest.raises(GateFailedError, match=says):
        deploy(operations, register(**behaviour), replace(CANARY, canary=50, gates=gates, promotes=True))
    assert split(operations) == {"cxr:1": 100}
    back, failed, _ = operations.records.history(NAME)
    assert (back.kind, failed.state) == (Kind.ROLLBACK, RolloutState.FAILED)
    assert says in back.reason and says in (failed.outcome or "")


@pytest.mark.usefixtures("asking")
def test_errors_fail_a_gate_before_all_requests_came(operations: Operations, register: Register) -> None:
    deploy(operations, register(score=0.3))
    gates = Gates(min_requests=10_000, watch_s=600, wait_s=600)
    with pytest.raises(GateFailedError, match="error-rate 1, at most"):
        deploy(operations, register(status=500), replace(CANARY, canary=50, gates=gates))
    assert split(operations) == {"cxr:1": 100}


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_canary_whose_processes_die_fails_its_gates(
    operations: Operations,
    register: Register,
    home: Home,
    local_endpoints: ModuleType,
    is_asked: bool,
) -> None:
    """By its errors where it is asked, though callers get the other version's answers; or by being down."""
    deploy(operations, register(score=0.3))
    two = register(score=0.3)
    wish = replace(CANARY, canary=50, gates=replace(GATES, min_requests=50, wait_s=600), promotes=True)
    failures: list[GateFailedError] = []

    def watch() -> None:
        watching = replace(operations, driver=replace(operations.driver, down_s=60.0 if is_asked else 2.0))
        try:
            deploy(watching, two, wish)
        except GateFailedError as error:
            failures.append(error)

    thread = threading.Thread(target=watch)
    thread.start()
    local_endpoints.wait_for(lambda: told(operations)[-1] == ("canary", "watching"))
    behaviour = Path(two.artifact_uri) / "behaviour.json"
    behaviour.chmod(0o644)
    behaviour.write_text(json.dumps({"fails": "There are no weights."}))
    for pid in local_endpoints.processes(home, local_endpoints.key_of(home, "cxr:2")):
        os.kill(pid, signal.SIGKILL)
    endpoint = operations.driver.server.describe(NAME)
    statuses = {local_endpoints.post(endpoint)[0] for _ in range(20 if is_asked else 0)}
    thread.join()
    assert statuses <= {200}
    says = "error-rate" if is_asked else "its processes have been down for 2 s"
    assert says in str(failures[0])
    assert (split(operations), told(operations)[-1]) == ({"cxr:1": 100}, ("rollback", "succeeded"))


def test_a_gate_without_requests_does_not_hold(operations: Operations, register: Register) -> None:
    deploy(operations, register())
    with pytest.raises(GateFailedError, match="requests 0, at least 5"):
        deploy(operations, register(), replace(CANARY, gates=replace(GATES, wait_s=0.5)))
    assert split(operations) == {"cxr:1": 100}


def test_a_later_step_takes_the_place_of_one_that_is_watched(
    home: Home, operations: Operations, register: Register, target: str
) -> None:
    deploy(operations, register())
    errors: list[BaseException] = []
    wish = replace(CANARY, gates=replace(GATES, wait_s=60))
    two = register()

    def watch() -> None:
        try:
            deploy(open_operations(home, target), two, wish)
        except InputError as error:
            errors.append(error)

    thread = threading.Thread(target=watch)
    thread.start()
    while told(operations)[-1] != ("canary", "watching"):
        time.sleep(0.05)
    rollback(operations)
    thread.join()
    assert "was replaced by a later step" in str(errors[0])
    assert told(operations)[1:] == [("canary", "superseded"), ("rollback", "succeeded")]
    assert split(operations) == {"cxr:1": 100}


CHAMPION = replace(WISH, alias=Alias.CHAMPION)


def approve(registry: ModelRegistry, version: ModelVersion, alias: Alias) -> None:
    registry.promote(version.reference, alias, actor="carol", reason="reviewed")


def test_only_approved_versions_answer_at_a_clinical_endpoint(
    operations: Operations, register: Register, registry: ModelRegistry, home: Home
) -> None:
    one, two = register(), register()
    with pytest.raises(PolicyError, match="no Approval as champion"):
        deploy(operations, one, CHAMPION)
    assert operations.records.endpoint(NAME) is None
    approve(registry, one, Alias.CHAMPION)
    deploy(operations, one, CHAMPION)
    deploy(operations, two, replace(WISH, shadow=True))
    with pytest.raises(PolicyError, match="no Approval as champion or challenger"):
        shift(operations, 10)
    approve(registry, two, Alias.CHALLENGER)
    shift(operations, 10)
    with pytest.raises(PolicyError, match="no Approval as champion;"):
        shift(operations, 100)
    approve(registry, two, Alias.CHAMPION)
    shift(operations, 100)
    assert split(operations) == {"cxr:2": 100}
    denied = [r for r in AuditTrail(home, open_database(home)).list() if r.outcome == "denied"]
    assert [record.action for record in denied] == ["endpoint.promote", "endpoint.canary", "endpoint.deploy"]


@pytest.mark.parametrize("change", [{"canary": 10}, {"shadow": True}])
def test_what_would_promote_itself_needs_the_approval_of_a_promotion_before_it_begins(
    operations: Operations, register: Register, registry: ModelRegistry, home: Home, change: dict[str, Any]
) -> None:
    one, two = register(), register()
    approve(registry, one, Alias.CHAMPION)
    deploy(operations, one, CHAMPION)
    approve(registry, two, Alias.CHALLENGER)
    wish = replace(WISH, gates=GATES, promotes=True)
    with pytest.raises(PolicyError, match="no Approval as champion;"):
        deploy(operations, two, replace(wish, **change))
    assert told(operations) == [("deploy", "succeeded")]
    deploy(operations, two, CANARY)
    with pytest.raises(PolicyError, match="no Approval as champion;"):
        operations.plan_shift(NAME, 25, wish)
    assert split(operations) == {"cxr:1": 90, "cxr:2": 10}
    denied = [r.action for r in AuditTrail(home, open_database(home)).list() if r.outcome == "denied"]
    assert len(denied) == 2


@pytest.mark.usefixtures("asking")
def test_a_promotion_is_held_against_the_rules_of_its_own_moment(
    operations: Operations, register: Register, registry: ModelRegistry, home: Home
) -> None:
    """The card lost its statements while the gates were watched, or the plan is older than the rule."""
    one, two = register(score=0.3), register(score=0.3)
    approve(registry, one, Alias.CHAMPION)
    approve(registry, two, Alias.CHAMPION)
    deploy(operations, one, CHAMPION)
    wish = replace(CANARY, canary=50, gates=GATES, promotes=True)
    planned = operations.plan_deploy(NAME, two, wish)
    registry.update_card(two, ModelCard(name="cxr"), actor="mallory")
    with pytest.raises(PolicyError, match=r"The card of cxr:2 misses \d+ required fields"):
        operations.run(planned)
    assert split(operations) == {"cxr:1": 50, "cxr:2": 50}
    assert told(operations) == [("deploy", "succeeded"), ("canary", "succeeded")]
    outcome = operations.records.history(NAME)[0].outcome or ""
    assert "its gates held. Not promoted: The card of cxr:2 misses" in outcome
    trail = AuditTrail(home, open_database(home))
    assert [r.action for r in trail.list() if r.outcome == "denied"] == ["endpoint.promote"]
    assert trail.verify().ok


def test_a_card_that_lacks_statements_keeps_a_version_away(
    operations: Operations, register: Register, registry: ModelRegistry
) -> None:
    one = register()
    approve(registry, one, Alias.CHAMPION)
    registry.update_card(one, ModelCard(name="cxr"), actor="mallory")
    with pytest.raises(PolicyError, match=r"misses \d+ required fields"):
        deploy(operations, one, CHAMPION)
    deploy(operations, one)


def test_a_change_needs_a_reason(operations: Operations, register: Register) -> None:
    with pytest.raises(PolicyError, match="needs a reason"):
        deploy(operations, register(), replace(WISH, reason=" "))


def test_a_damaged_bundle_is_not_deployed(operations: Operations, register: Register) -> None:
    one = register()
    file = Path(one.artifact_uri) / "behaviour.json"
    file.chmod(0o644)
    file.write_text("{}")
    with pytest.raises(IntegrityError, match=r"behaviour\.json"):
        deploy(operations, one)


def test_a_plan_that_is_out_of_date_is_refused(operations: Operations, register: Register) -> None:
    planned = operations.plan_deploy(NAME, register(), WISH)
    deploy(operations, register())
    with pytest.raises(InputError, match="was changed while this was planned"):
        operations.run(planned)


def test_an_endpoint_is_started_again_after_a_restart_of_the_machine(
    home: Home, operations: Operations, register: Register, local_endpoints: ModuleType
) -> None:
    deploy(operations, register())
    local_endpoints.end_all(home)
    found = operations.driver.server.describe(NAME)
    assert found is not None and found.state is EndpointState.STOPPED
    operations.run(operations.plan_again(NAME, WISH))
    assert split(operations) == {"cxr:1": 100}
    assert len(operations.records.history(NAME)) == 1


DRIVER = """
import os, signal, sys
from dataclasses import replace
from isocenter.home import open_home
from isocenter.registry.opening import open_registry
from isocenter.rollouts.gates import Gates
from isocenter.rollouts.opening import open_operations
from isocenter.rollouts.planning import Wish
operations = open_operations(open_home(), sys.argv[1])
wish = Wish("alice", "because", canary=10)
calls, at = [0], int(sys.argv[2])
def counted(event, arguments):
    changes = event in ("os.rename", "subprocess.Popen", "fcntl.flock") or event.startswith("sqlite3")
    changes = changes or (event == "open" and isinstance(arguments[2], int) and arguments[2] & 3)
    if changes:
        calls[0] += 1
        if calls[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)
version = operations.registry.get("cxr:2")
sys.addaudithook(counted)
operations.run(operations.plan_deploy("chest", version, wish))
"""


def test_a_deploy_that_was_killed_at_any_call_goes_on_when_it_is_repeated(
    operations: Operations, register: Register, target: str
) -> None:
    deploy(operations, register())
    register()
    for at in range(1, 200, 3):
        done = subprocess.run([sys.executable, "-c", DRIVER, target, str(at)], check=False)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        assert split(operations) in ({"cxr:1": 100}, {"cxr:1": 90, "cxr:2": 10})
    assert done.returncode == 0
    assert split(operations) == {"cxr:1": 90, "cxr:2": 10}
    assert told(operations) == [("deploy", "succeeded"), ("canary", "succeeded")], (
        "it was begun more than once"
    )
