"""What ``make demo`` says, with a stand-in for the command line."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "demo.sh"
STUB = """#!/bin/sh
if [ "$1" = demo ]; then
  mkdir -p "$3/unseen" "$3/dicom"; touch "$3/unseen/normal.dcm" "$3/unseen/pneumonia.dcm"
fi
case "$*" in *--json) ;; *) echo "ran $1";; esac
[ "$1" = emulate ] && echo "emulate $2 $3"
[ "$1" = pipeline ] && case "$*" in
  *--seed*--json) echo '{"reference": "chest-xray:2"}';;
  *--json) echo '{"reference": "chest-xray:1"}';;
  *) echo "$@";;
esac
[ "$1" = model ] && echo "$@"
[ "$1" = endpoint ] && case "$*" in
  *--json) echo '{"url": "http://127.0.0.1:1"}';;
  *) echo "$@";;
esac
exit 0
"""

# The real python, but for the callers: there is no endpoint to call.
CALLERS = f"""#!/bin/sh
case "$*" in
  *demo_callers.py*--once) echo "called once with $ISOCENTER_TOKEN"; exit 0;;
  *demo_callers.py*) trap 'echo "called until told"; exit $CALLERS_END' TERM; while :; do sleep 0.1; done;;
esac
exec {sys.executable} "$@"
"""


def run(folder: Path, data: str, **more: str) -> str:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "isocenter").write_text(STUB)
    (folder / "bin" / "isocenter").chmod(0o755)
    (folder / "bin" / "python").write_text(CALLERS)
    (folder / "bin" / "python").chmod(0o755)
    settings = {
        "CALLERS_END": "0",
        "PAUSE": "1",
        "BIN": "bin",
        "DEMO": "out",
        "DATA": data,
        "LABELS": "",
        "CLASSES": "normal,pneumonia",
    } | more
    done = subprocess.run(
        ["bash", SCRIPT],
        cwd=folder,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == int(settings["CALLERS_END"]), done.stderr
    return done.stdout


@pytest.mark.parametrize("own", [False, True])
def test_a_wrong_call_on_a_phantom_is_not_passed_over(tmp_path: Path, own: bool) -> None:
    data = tmp_path / "own"
    data.mkdir()
    (data / "x.dcm").touch()
    said = run(tmp_path, str(data) if own else "")
    after = said[said.index("ran predict") :].splitlines()[1]
    assert ("file names tell what was drawn" in after) == (not own)
    assert ("sensitivity above" in after) == (not own)


def test_an_emulated_target_is_started_used_and_ended(tmp_path: Path) -> None:
    said = run(tmp_path, "", TARGET="gcp-emulated")
    assert "emulate gcp --detach" in said
    assert said.count("--target gcp-emulated") == 6  # three pipelines, each said and run
    assert said.splitlines()[-1] == "emulate gcp --stop"
    assert "emulate" not in run(tmp_path / "local", "", TARGET="local")


def test_the_second_version_is_tried_and_taken_back_while_callers_go_on(tmp_path: Path) -> None:
    said = run(tmp_path, "")
    order = [
        "endpoint deploy make-demo chest-xray:1 --target local --as champion",
        "called once",
        "endpoint deploy make-demo chest-xray:2 --canary 20",
        "endpoint rollback make-demo",
        "called until told",
        "ran audit",
        "endpoint delete make-demo",
    ]
    places = [said.index(each) for each in order]
    assert places == sorted(places)


def test_a_model_without_a_card_is_not_called_approved(tmp_path: Path) -> None:
    data = tmp_path / "own"
    data.mkdir()
    (data / "x.dcm").touch()
    said = run(tmp_path, str(data))
    assert "ran model" not in said and "--as champion" not in said


def test_a_lost_request_fails_the_demo_and_nothing_stays(tmp_path: Path) -> None:
    said = run(tmp_path, "", CALLERS_END="1")
    assert "endpoint status" not in said
    assert said.splitlines()[-1].startswith("endpoint delete make-demo")


@pytest.fixture
def endpoint() -> Iterator[str]:
    """Answers as a serving program does: a body of digits is the status that it asks for."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Authorization"] == "Bearer secret"
            status = int(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"model": "cxr", "version": 3, "code": "not-dicom"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("statuses", "code", "counted"),
    [
        ((200,), 0, "cxr:3; 0 failed"),
        ((200, 422), 0, "refused:file; 0 failed"),
        ((200, 503), 1, "status 503;"),
    ],
)
def test_callers_count_every_answer(
    endpoint: str, tmp_path: Path, statuses: tuple[int, ...], code: int, counted: str
) -> None:
    files = []
    for status in statuses:
        files.append(tmp_path / str(status))
        files[-1].write_text(str(status))
    command = [sys.executable, str(SCRIPT.with_name("demo_callers.py")), endpoint, *map(str, files)]
    env = {**os.environ, "ISOCENTER_TOKEN": "secret"}
    once = subprocess.run([*command, "--once"], env=env, capture_output=True, text=True, check=False)
    assert once.returncode == code
    assert len(once.stdout.splitlines()) == len(statuses)
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as calling:
        assert calling.stdout is not None
        calling.stdout.readline()
        time.sleep(0.5)
        calling.terminate()
        said = calling.communicate(timeout=30)[0]
    assert calling.returncode == code
    assert counted in said
