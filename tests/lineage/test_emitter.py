"""Where events go: the file always, a real HTTP collector where there is one."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from isocenter.domain.run import new_run_id
from isocenter.errors import InputError
from isocenter.home import Home
from isocenter.lineage import LineageDataset, LineageEmitter


class FakeCollector(ThreadingHTTPServer):
    """Keeps what it is sent; answers with ``status``."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str | None, dict[str, object]]] = []
        self.status = 201
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def types(self) -> list[object]:
        return [body["eventType"] for _, _, body in self.received]


class _Handler(BaseHTTPRequestHandler):
    server: FakeCollector

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.status < 400:
            self.server.received.append((self.path, self.headers.get("Authorization"), body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCollector]:
    server = FakeCollector()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("OPENLINEAGE_URL", server.url)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def lines(home: Home) -> list[dict[str, object]]:
    return [json.loads(line) for line in home.lineage.read_text().splitlines()]


def test_events_are_lines_of_the_file(home: Home) -> None:
    emitter, run = LineageEmitter(home), new_run_id()
    data = [LineageDataset("dataset", "sha256:" + "a" * 64)]
    sent = [
        emitter.start(run, "training.train", data, [], {"code": {"commit": "abc"}}),
        emitter.complete(run, "training.train", data, [LineageDataset("artifact", "model")]),
        emitter.fail(new_run_id(), "training.evaluate"),
    ]
    assert lines(home) == sent
    assert [event["eventType"] for event in sent] == ["START", "COMPLETE", "FAIL"]
    assert sent[0]["run"]["runId"] == sent[1]["run"]["runId"]


def test_no_http_code_is_imported_without_a_collector(home: Home) -> None:
    code = (
        "import sys\nfrom isocenter.home import open_home\nfrom isocenter.lineage import LineageEmitter\n"
        "from isocenter.domain.run import new_run_id\n"
        "LineageEmitter(open_home()).start(new_run_id(), 'a.b')\n"
        "print(sorted({'urllib.request', 'ssl', 'http.client'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_lines_of_several_processes_do_not_mix(home: Home) -> None:
    code = (
        "from isocenter.home import open_home\nfrom isocenter.lineage import LineageEmitter\n"
        "from isocenter.domain.run import new_run_id\nemitter = LineageEmitter(open_home())\n"
        "for _ in range(50): emitter.start(new_run_id(), 'a.b', facets={'parameters': {'x': 'y' * 9000}})\n"
    )
    started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert len(lines(home)) == 150


def test_a_collector_gets_each_event_once_and_in_order(
    home: Home, collector: FakeCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "secret")
    emitter, run = LineageEmitter(home), new_run_id()
    emitter.start(run, "training.train")
    emitter.complete(run, "training.train")
    assert collector.types == ["START", "COMPLETE"]
    assert {(path, key) for path, key, _ in collector.received} == {("/api/v1/lineage", "Bearer secret")}
    assert [body for _, _, body in collector.received] == lines(home)


def test_what_a_sick_collector_missed_is_sent_when_it_is_well(
    home: Home, collector: FakeCollector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.status = 503
    emitter, run = LineageEmitter(home), new_run_id()
    emitter.start(run, "training.train")
    emitter.complete(run, "training.train")
    assert len(caplog.records) == 1 and "does not answer" in caplog.text
    assert collector.received == [] and len(lines(home)) == 2
    collector.status = 200
    LineageEmitter(home).start(new_run_id(), "training.evaluate")
    assert collector.types == ["START", "COMPLETE", "START"]


def test_a_collector_that_is_not_there_fails_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:1")
    emitter = LineageEmitter(home)
    emitter.start(new_run_id(), "training.train")
    emitter.fail(new_run_id(), "training.train")
    assert len(lines(home)) == 2 and len(caplog.records) == 1


def test_only_http_is_a_collector(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "file:///etc")
    with pytest.raises(InputError, match="http"):
        LineageEmitter(home)
