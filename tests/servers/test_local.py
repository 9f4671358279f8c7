"""The local server passes the contract, and keeps what only processes can break."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isocenter.domain.rollout import EndpointState, Variant
from isocenter.domain.submission import Submission
from isocenter.errors import InputError, NotFoundError
from isocenter.home import Home
from isocenter.servers import Server, load_server
from isocenter.servers.local import LocalServer

sys.path.insert(0, str(Path(__file__).parent))
from local_endpoints import (
    STAND_IN,
    end_all,
    files_of,
    key_of,
    load,
    post,
    processes,
    supervisor_of,
    variant,
    wait_for,
)
from server_contract import NAME, Interrupted, Predict, ServerContract, settle, wait_until_gone

KILLED_AT = """
import json, os, signal, sys
from pathlib import Path
from isocenter.domain.submission import Submission
from isocenter.home import Home
from isocenter.servers.local import LocalServer
root, body, number = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
server, calls = LocalServer(Home(Path(root))), [0]
def at_call(event, arguments):
    changes = event in ("os.rename", "os.mkdir", "subprocess.Popen", "fcntl.flock") or (
        event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR))
    if changes:
        if calls[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        calls[0] += 1
sys.addaudithook(at_call)
server.apply(Submission("local", body["run"], body["request"]))
"""
SETTINGS = {"serving_entry_point": [sys.executable, str(STAND_IN)], "stop_grace_s": 20, "ready_s": 60}


class TestLocalServer(ServerContract):
    @pytest.fixture
    def server(self, home: Home) -> Iterator[Server]:
        yield load_server("local", home, SETTINGS)
        end_all(home)

    @pytest.fixture
    def golden_server(self, tmp_path: Path) -> Server:
        settings = {"serving_entry_point": ["python", "-m", "isocenter_serving"], "port": 8440}
        return LocalServer(Home(Path("/store")), settings)

    @pytest.fixture
    def one(self, tmp_path: Path) -> Variant:
        return variant(tmp_path, 1, score=0.3)

    @pytest.fixture
    def two(self, tmp_path: Path) -> Variant:
        return variant(tmp_path, 2, score=0.5)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Variant:
        return variant(tmp_path, 3, fails="The bundle's network can't be loaded.")

    @pytest.fixture
    def predict(self) -> Predict:
        return lambda endpoint: int(post(endpoint)[1]["version"])

    @pytest.fixture
    def interrupted(self, home: Home) -> Interrupted:
        """Kills a process that applies, at each change that it makes to the disk or to processes."""

        def apply(submission: Submission, number: int) -> bool:
            body = json.dumps({"run": submission.run, "request": dict(submission.request)})
            done = subprocess.run(
                [sys.executable, "-c", KILLED_AT, str(home.root), body, str(number)], check=False
            )
            assert done.returncode in (0, -signal.SIGKILL)
            return done.returncode != 0

        return apply

    def test_a_version_that_fails_says_what_it_said(
        self, server: Server, one: Variant, broken: Variant
    ) -> None:
        failed = self.serve(server, broken)
        assert failed.state is EndpointState.FAILED
        assert failed.reason.endswith("The bundle's network can't be loaded.")
        assert self.serve(server, one).state is EndpointState.READY

    def test_an_older_rollout_does_not_replace_a_later_one(
        self, server: Server, one: Variant, two: Variant
    ) -> None:
        older = server.plan(self.rollout(one))
        time.sleep(0.002)
        self.serve(server, two)
        with pytest.raises(InputError, match="was replaced by"):
            server.apply(older)

    def test_what_came_is_passed_on_untouched(self, server: Server, one: Variant) -> None:
        endpoint = self.serve(server, one)
        status, answer = post(endpoint, b"y" * 100_000, Authorization="Bearer a.b.c", X_Isocenter_Copy="1")
        assert (status, answer["bytes"], answer["authorization"]) == (200, 100_000, "Bearer a.b.c")

    def test_of_a_hundred_requests_a_canary_of_ten_percent_gets_ten(
        self, server: Server, one: Variant, two: Variant, predict: Predict
    ) -> None:
        endpoint = self.serve(server, *self.canary(one, two, 10))
        assert sum(predict(endpoint) == 2 for _ in range(100)) == 10

    def test_a_shadow_gets_copies_and_answers_nobody(
        self, server: Server, one: Variant, tmp_path: Path
    ) -> None:
        mark = tmp_path / "mark"
        shadow = replace(variant(tmp_path, 2, score=0.9, status=500, mark=str(mark)), weight=0, shadow=True)
        endpoint = self.serve(server, one, shadow)
        for _ in range(5):
            status, answer = post(endpoint)
            assert (status, answer["version"]) == (200, 1)
            time.sleep(0.05)
        seen = self.observed(server, lambda found: found["cxr:2"].requests == 5)
        assert (seen["cxr:2"].errors, seen["cxr:1"].errors, mark.read_text()) == (5, 0, "11111")

    def test_a_rollback_under_load_loses_no_request(self, server: Server, one: Variant, two: Variant) -> None:
        endpoint = self.serve(server, *self.canary(one, two, 50))
        with load(endpoint) as found:
            for variants in ((two,), (one,), self.canary(one, two, 50), (one,)):
                time.sleep(0.5)
                self.serve(server, *variants)
            wait_for(lambda: "cxr:2" not in {v.reference for v in server.describe(NAME).variants})
            time.sleep(0.5)
        assert (set(found.statuses), found.broken) == ({200}, {})
        assert found.versions[1] > 10 and found.versions[2] > 10

    def test_a_version_that_is_taken_away_ends_after_its_last_request(
        self, server: Server, two: Variant, tmp_path: Path
    ) -> None:
        slow = variant(tmp_path, 1, delay_s=2)
        endpoint = self.serve(server, slow)
        answers: list[tuple[int, dict[str, object]]] = []
        threads = [threading.Thread(target=lambda: answers.append(post(endpoint))) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        self.serve(server, two)
        assert post(endpoint)[1]["version"] == 2
        for thread in threads:
            thread.join()
        assert [(status, answer["version"]) for status, answer in answers] == [(200, 1)] * 4

    def test_workers_that_are_killed_lose_no_request(self, home: Home, server: Server, one: Variant) -> None:
        rollout = self.rollout(one)
        rollout = replace(rollout, size=replace(rollout.size, cpus=2))
        endpoint = settle(server, server.plan(rollout))
        key = key_of(home, "cxr:1")
        with load(endpoint) as found:
            for _ in range(3):
                time.sleep(0.4)
                os.kill(processes(home, key)[-1], signal.SIGKILL)
            time.sleep(0.6)
        assert (set(found.statuses), found.broken) == ({200}, {})

    def test_a_version_whose_processes_are_all_killed_is_started_again_while_requests_wait(
        self, home: Home, server: Server, one: Variant
    ) -> None:
        endpoint = self.serve(server, one)
        with load(endpoint, clients=2) as found:
            time.sleep(0.4)
            for pid in processes(home, key_of(home, "cxr:1")):
                os.kill(pid, signal.SIGKILL)
            before = sum(found.statuses.values())
            wait_for(lambda: sum(found.statuses.values()) > before + 20)
        assert (set(found.statuses), found.broken) == ({200}, {})

    @pytest.mark.parametrize("supervisor_dies", [False, True])
    def test_a_version_that_does_not_get_ready_again_is_told_with_its_reason(
        self, home: Home, server: Server, one: Variant, *, supervisor_dies: bool
    ) -> None:
        submission = server.plan(self.rollout(one))
        settle(server, submission)
        behaviour = Path(one.uri) / "behaviour.json"
        good = behaviour.read_text()
        behaviour.write_text('{"fails": "There are no weights."}')
        for pid in processes(home, key_of(home, "cxr:1")):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: server.describe(NAME).state is EndpointState.FAILED, seconds=60)
        found = server.describe(NAME)
        assert found.reason.startswith("cxr:1 does not get ready again (3 starts in vain).")
        assert "There are no weights." in found.reason
        assert [(each.state, each.instances) for each in found.variants] == [("failed", 0)]
        behaviour.write_text(good)
        if supervisor_dies:
            os.kill(supervisor_of(home), signal.SIGKILL)
            wait_for(lambda: not processes_alive(supervisor_of(home)))
        assert not supervisor_dies or settle(server, submission).state is EndpointState.READY
        wait_for(lambda: server.describe(NAME).state is EndpointState.READY)
        assert (server.describe(NAME).reason, post(found)[0]) == ("", 200)

    def test_a_killed_supervisor_is_not_missed_by_callers_and_the_next_takes_over(
        self, home: Home, server: Server, one: Variant, two: Variant
    ) -> None:
        endpoint = self.serve(server, *self.canary(one, two, 50))
        before = {role: processes(home, role) for role in ("router", key_of(home, "cxr:1"))}
        with load(endpoint) as found:
            time.sleep(0.3)
            os.kill(supervisor_of(home), signal.SIGKILL)
            wait_for(lambda: "nobody watches" in server.describe(NAME).reason)
            assert server.describe(NAME).state is EndpointState.READY
            submission = server.plan(self.rollout(*self.canary(one, two, 10)))
            assert settle(server, submission).reason == ""
            assert {role: processes(home, role) for role in before} == before, "they were started again"
            self.serve(server, one)
            time.sleep(0.3)
        assert (set(found.statuses), found.broken) == ({200}, {})

    def test_a_killed_router_breaks_only_what_was_under_way(
        self, home: Home, server: Server, one: Variant
    ) -> None:
        endpoint = self.serve(server, one)
        with load(endpoint, clients=4) as found:
            time.sleep(0.3)
            (router,) = processes(home, "router")
            os.kill(router, signal.SIGKILL)
            before = sum(found.statuses.values())
            wait_for(lambda: sum(found.statuses.values()) > before + 20)
        assert set(found.statuses) == {200}
        assert sum(found.broken.values()) <= 4, "connections were refused while it was started again"

    def test_everything_killed_is_started_again_at_the_same_port(
        self, home: Home, server: Server, one: Variant, two: Variant
    ) -> None:
        submission = server.plan(self.rollout(*self.canary(one, two, 50)))
        endpoint = settle(server, submission)
        end_all(home)
        wait_for(lambda: server.describe(NAME).state is EndpointState.STOPPED)
        again = settle(server, submission)
        assert (again.state, again.url) == (EndpointState.READY, endpoint.url)
        wait_for(lambda: {v.state for v in server.describe(NAME).variants} == {"ready"})
        assert {post(again)[1]["version"] for _ in range(4)} == {1, 2}

    def test_a_supervisor_killed_at_any_moment_of_a_rollout(
        self, home: Home, server: Server, one: Variant, two: Variant
    ) -> None:
        endpoint = self.serve(server, one)
        with load(endpoint, clients=2) as found:
            for number in range(12):
                variants = (two,) if number % 2 == 0 else (one,)
                submission = server.plan(self.rollout(*variants))
                server.apply(submission)
                time.sleep(number * 0.06)
                os.kill(supervisor_of(home), signal.SIGKILL)
                wait_for(lambda: not processes_alive(supervisor_of(home)))
                assert settle(server, submission).state is EndpointState.READY
        assert (set(found.statuses), found.broken) == ({200}, {})
        wait_for(lambda: len(server.describe(NAME).variants) == 1)
        assert len(list((files_of(home).directory / "groups").iterdir())) == 2

    def test_sigterm_ends_after_the_last_requests(self, home: Home, server: Server, tmp_path: Path) -> None:
        endpoint = self.serve(server, variant(tmp_path, 1, delay_s=1.5))
        answers: list[tuple[int, dict[str, object]]] = []
        threads = [threading.Thread(target=lambda: answers.append(post(endpoint))) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.4)
        key = key_of(home, "cxr:1")
        os.kill(supervisor_of(home), signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert [status for status, _ in answers] == [200] * 3
        wait_for(lambda: server.describe(NAME).state is EndpointState.STOPPED)
        assert not processes(home, key) and not processes(home, "router")

    def test_delete_ends_after_the_last_requests(self, server: Server, tmp_path: Path) -> None:
        endpoint = self.serve(server, variant(tmp_path, 1, delay_s=1))
        answers: list[tuple[int, dict[str, object]]] = []
        thread = threading.Thread(target=lambda: answers.append(post(endpoint)))
        thread.start()
        time.sleep(0.3)
        server.delete(NAME)
        wait_until_gone(server, NAME)
        thread.join()
        assert [status for status, _ in answers] == [200]
        with pytest.raises(ConnectionRefusedError):
            post(endpoint)

    def test_a_body_that_is_too_large_is_refused_without_being_held(
        self, home: Home, server: Server, one: Variant
    ) -> None:
        endpoint = self.serve(server, one)
        port = int(endpoint.url.rpartition(":")[2])
        (router,) = processes(home, "router")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(
                b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 500000000\r\n\r\n" + b"x" * 100
            )
            assert client.recv(12) == b"HTTP/1.1 413"
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
            sent = 0
            try:
                while sent < 500:
                    client.sendall(chunk)
                    sent += 1
            except OSError:
                pass
        assert post(endpoint)[0] == 200
        status = Path(f"/proc/{router}/status").read_text()
        peak = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
        assert peak < 400_000, f"{peak} kB were held"

    def test_half_a_request_is_forgotten(self, server: Server, one: Variant) -> None:
        endpoint = self.serve(server, one)
        port = int(endpoint.url.rpartition(":")[2])
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        assert post(endpoint)[0] == 200
        assert server.observe(NAME)["cxr:1"].requests == 1

    def test_a_store_that_lies_deep(self, tmp_path: Path, one: Variant) -> None:
        """A Unix socket's path has at most 107 bytes."""
        deep = tmp_path.joinpath(*("deep-folder",) * 12)
        deep.mkdir(parents=True)
        home = Home(deep)
        server = load_server("local", home, SETTINGS)
        try:
            assert post(self.serve(server, one))[0] == 200
        finally:
            end_all(home)

    def test_serving_processes_see_no_secrets_of_the_users_environment(
        self, home: Home, server: Server, one: Variant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
        monkeypatch.setenv("ISOCENTER_DATABASE_URL", "postgresql://u:hunter2@h/d")
        self.serve(server, one)
        for role in ("router", key_of(home, "cxr:1")):
            for pid in processes(home, role):
                assert b"hunter2" not in Path(f"/proc/{pid}/environ").read_bytes()

    def test_a_taken_port_is_said(self, home: Home, one: Variant) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            server = load_server("local", home, {**SETTINGS, "port": port})
            try:
                failed = self.serve(server, one)
                assert failed.state is EndpointState.FAILED
                assert f"port {port}" in failed.reason
            finally:
                end_all(home)


def processes_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_unknown_server_is_not_found(home: Home) -> None:
    with pytest.raises(NotFoundError, match="Nothing serves models on 'borg'"):
        load_server("borg", home)
