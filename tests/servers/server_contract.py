"""The suite that every server passes. A server's test module subclasses it and supplies the fixtures."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isocenter.domain.rollout import (
    Capture,
    Endpoint,
    EndpointState,
    InstanceSize,
    Observation,
    Rollout,
    Scaling,
    Variant,
)
from isocenter.domain.run import RunId, new_run_id
from isocenter.domain.submission import Submission
from isocenter.errors import InputError
from isocenter.servers import Capability, Server

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_RUN = RunId("01JCZZZZZZZZZZZZZZZZZZZZZZ")
NAME = "chest"
Predict = Callable[[Endpoint], int]
Interrupted = Callable[[Submission, int], bool]


def settle(server: Server, submission: Submission, *, seconds: float = 60) -> Endpoint:
    """Apply until the endpoint is where it is going to be."""
    deadline = time.monotonic() + seconds
    while (found := server.apply(submission)).state is EndpointState.UPDATING:
        assert time.monotonic() < deadline, f"still {found}"
        time.sleep(0.05)
    return found


def wait_until_gone(server: Server, name: str, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while (found := server.describe(name)) is not None:
        assert time.monotonic() < deadline, f"still {found}"
        time.sleep(0.05)


def weights(endpoint: Endpoint) -> dict[str, int]:
    """Version -> percent, of those that answer."""
    return {v.reference: v.weight for v in endpoint.variants if v.weight}


class ServerContract:
    """Behaviour that all servers share."""

    target = "local"
    bundles = "/bundles"
    """Where the service reads bundles, for plans."""

    @pytest.fixture
    def server(self) -> Iterator[Server]:
        """A server whose endpoints really answer (or a faithful emulation of the service)."""
        raise NotImplementedError

    @pytest.fixture
    def golden_server(self) -> Server:
        """A server with fixed settings, so that its plans can be compared with a file."""
        raise NotImplementedError

    @pytest.fixture
    def one(self) -> Variant:
        """``cxr:1``, where the service reads it. It scores 0.3."""
        raise NotImplementedError

    @pytest.fixture
    def two(self) -> Variant:
        """``cxr:2``; it scores 0.5."""
        raise NotImplementedError

    @pytest.fixture
    def broken(self) -> Variant:
        """``cxr:3``, which can't be made ready."""
        raise NotImplementedError

    @pytest.fixture
    def predict(self) -> Predict:
        """Asks an endpoint for a prediction and gives the number of the version that answered."""
        raise NotImplementedError

    @pytest.fixture
    def interrupted(self) -> Interrupted:
        """Applies a submission and ends, as if killed, at the given call to the service (from 0).

        True if it was ended, False if ``apply`` returned before that call.
        """
        raise NotImplementedError

    def rollout(self, *variants: Variant, run: RunId | None = None) -> Rollout:
        size = InstanceSize(cpus=1)
        return Rollout(run or new_run_id(), NAME, self.target, variants, size=size)

    def serve(self, server: Server, *variants: Variant) -> Endpoint:
        return settle(server, server.plan(self.rollout(*variants)))

    def canary(self, one: Variant, two: Variant, percent: int) -> tuple[Variant, Variant]:
        return replace(one, weight=100 - percent), replace(two, weight=percent)

    def test_is_a_server(self, server: Server) -> None:
        assert isinstance(server, Server)

    def test_plan_equals_the_golden_file(self, golden_server: Server) -> None:
        digest = "sha256:" + "1" * 64
        old = Variant("chest-xray:1", digest, f"{self.bundles}/1", weight=90)
        new = Variant("chest-xray:2", digest.replace("1", "2"), f"{self.bundles}/2", weight=10)
        rollout = Rollout(
            GOLDEN_RUN,
            NAME,
            self.target,
            (old, new),
            size=InstanceSize(cpus=2, memory_gib=4),
            scaling=Scaling(2, 2),
            capture=Capture(percent=50),
            labels={"model": "chest-xray"},
        )
        submission = golden_server.plan(rollout)
        planned = {"digest": submission.digest, "request": dict(submission.request)}
        path = GOLDEN / f"{golden_server.name}.json"
        if os.environ.get("ISOCENTER_WRITE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(planned, indent=2, sort_keys=True) + "\n")
        assert planned == json.loads(path.read_text())

    def test_plan_is_pure(
        self, golden_server: Server, one: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = sorted(tmp_path.rglob("*"))
        rollout = self.rollout(one, run=GOLDEN_RUN)
        first = golden_server.plan(rollout)
        for name in list(os.environ):
            monkeypatch.delenv(name)
        assert golden_server.plan(rollout) == first
        assert sorted(tmp_path.rglob("*")) == before

    def test_nothing_is_there_at_first(self, server: Server) -> None:
        assert server.describe(NAME) is None
        assert server.observe(NAME) == {}
        assert list(server.logs(NAME)) == []
        server.delete(NAME)

    def test_the_whole_story(self, server: Server, one: Variant, two: Variant, predict: Predict) -> None:
        """Deploy 1, canary 2 at 10 %, shadow, promote, roll back, delete."""
        first = self.serve(server, one)
        assert (first.state, weights(first)) == (EndpointState.READY, {"cxr:1": 100})
        assert predict(first) == 1

        canary = self.serve(server, *self.canary(one, two, 10))
        assert weights(canary) == {"cxr:1": 90, "cxr:2": 10}
        answered = Counter(predict(canary) for _ in range(100))
        assert set(answered) == {1, 2}
        assert answered[2] < answered[1]

        if Capability.SHADOW in server.capabilities:
            shadowed = self.serve(server, one, replace(two, weight=0, shadow=True))
            assert weights(shadowed) == {"cxr:1": 100}
            assert {predict(shadowed) for _ in range(10)} == {1}

        promoted = self.serve(server, two)
        assert (weights(promoted), predict(promoted)) == ({"cxr:2": 100}, 2)

        back = self.serve(server, one)
        assert (weights(back), predict(back)) == ({"cxr:1": 100}, 1)

        server.delete(NAME)
        wait_until_gone(server, NAME)
        server.delete(NAME)

    def test_a_name_can_be_used_again(
        self, server: Server, one: Variant, two: Variant, predict: Predict
    ) -> None:
        self.serve(server, one)
        server.delete(NAME)
        wait_until_gone(server, NAME)
        assert predict(self.serve(server, two)) == 2

    def test_applying_twice_changes_nothing(self, server: Server, one: Variant, predict: Predict) -> None:
        submission = server.plan(self.rollout(one))
        first = settle(server, submission)
        assert settle(server, submission) == first
        assert predict(first) == 1

    def test_another_request_under_the_same_id_is_refused(
        self, server: Server, one: Variant, two: Variant
    ) -> None:
        run = new_run_id()
        settle(server, server.plan(self.rollout(one, run=run)))
        with pytest.raises(InputError):
            server.apply(server.plan(self.rollout(two, run=run)))

    def test_a_version_that_can_not_be_made_ready_changes_nothing_for_callers(
        self, server: Server, one: Variant, broken: Variant, predict: Predict
    ) -> None:
        self.serve(server, one)
        failed = self.serve(server, broken)
        assert failed.state is EndpointState.FAILED
        assert failed.reason
        assert predict(failed) == 1
        assert predict(self.serve(server, one)) == 1

    def test_a_rollout_that_was_interrupted_at_any_call_is_repeated(
        self, server: Server, one: Variant, two: Variant, predict: Predict, interrupted: Interrupted
    ) -> None:
        """The canary is killed at its first call, then at its second ... until it needs no more calls."""
        versions = [self.canary(one, two, 10), self.canary(one, two, 20)]
        first = self.serve(server, one)
        for number in range(200):
            submission = server.plan(self.rollout(*versions[number % 2]))
            was_ended = interrupted(submission, number)
            assert predict(first) in (1, 2), "callers noticed"
            found = settle(server, submission)
            assert (found.state, found.rollout) == (EndpointState.READY, submission.run)
            assert weights(found) == {v.reference: v.weight for v in versions[number % 2]}
            if not was_ended:
                break
        assert number >= 1, "nothing was interrupted"
        assert not was_ended

    def test_requests_are_counted_by_version(
        self, server: Server, one: Variant, two: Variant, predict: Predict
    ) -> None:
        endpoint = self.serve(server, *self.canary(one, two, 50))
        # By the minute, where the service counts so: of the same minute's endpoint of this name, too.
        before = {name: each.requests for name, each in server.observe(NAME).items()}
        for _ in range(10):
            predict(endpoint)
        wanted = sum(before.values()) + 10
        seen = self.observed(server, lambda found: sum(each.requests for each in found.values()) == wanted)
        assert set(seen) == {"cxr:1", "cxr:2"}
        assert all(each.requests > before.get(name, 0) for name, each in seen.items())
        assert all(not each.errors and each.p99_s for each in seen.values())

    def test_scores_are_compared_on_the_same_requests(
        self, server: Server, one: Variant, two: Variant, predict: Predict
    ) -> None:
        if Capability.COMPARISON not in server.capabilities:
            return
        endpoint = self.serve(server, *self.canary(one, two, 50))
        for _ in range(4):
            predict(endpoint)
        seen = self.observed(server, lambda found: found["cxr:2"].comparison.pairs == 2)
        assert seen["cxr:2"].comparison.mean_shift == pytest.approx(0.2)

    def test_logs_are_told_by_version(self, server: Server, one: Variant, two: Variant) -> None:
        self.serve(server, *self.canary(one, two, 50))
        assert list(server.logs(NAME, "cxr:2"))
        assert len(list(server.logs(NAME))) > len(list(server.logs(NAME, "cxr:2")))

    def test_what_it_can_not_do_is_refused_by_plan(
        self, golden_server: Server, one: Variant, two: Variant
    ) -> None:
        asks = {
            Capability.AUTOSCALING: replace(self.rollout(one), scaling=Scaling(1, 4)),
            Capability.GPU: replace(self.rollout(one), size=InstanceSize(gpu="l4")),
            Capability.IMAGE: replace(self.rollout(one), image="registry/serving@sha256:" + "0" * 64),
            Capability.SHADOW: self.rollout(one, replace(two, weight=0, shadow=True)),
            Capability.SPLIT: self.rollout(*self.canary(one, two, 10)),
        }
        for wanted in asks.keys() - golden_server.capabilities:
            with pytest.raises(InputError, match=wanted.value):
                golden_server.plan(asks[wanted])

    def observed(
        self, server: Server, enough: Callable[[dict[str, Observation]], bool]
    ) -> dict[str, Observation]:
        """What was counted, once it is enough: copies come a little later than their requests."""
        deadline = time.monotonic() + 30
        while not enough(found := dict(server.observe(NAME))):
            assert time.monotonic() < deadline, f"only {found}"
            time.sleep(0.05)
        return found
