"""The platform's emulator of AWS as a process of its own: it stays when the verb that started it has ended.

The account has nothing in it but what is deployed, and runs the training jobs of the deployed target.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from filelock import FileLock

from isocenter.errors import EnvironmentFaultError
from isocenter.home import Home
from isocenter.storage.atomic import write_bytes

_START_S = 60
_RESET_S = 30
# Apart from the target that `isocenter emulate aws` makes.
_NAME = "aws-deployed"


def ensure_server(home: Home, notice: Callable[[str], None]) -> str:
    """Address of the emulator for deployments in this store; started where none answers.

    What it holds lives in its memory: when it ends, the emulated cloud is gone.

    Raises:
        EnvironmentFaultError: it can't be started.
    """
    folder = home.root / "emulators"
    folder.mkdir(mode=0o700, exist_ok=True)
    home.locks.mkdir(parents=True, exist_ok=True)
    with FileLock(home.locks / "emulator-aws.lock"):
        known = running_server(home)
        if known:
            return known
        endpoint, pid = _start(folder)
        notice(f"Started an emulated AWS at {endpoint}. It holds all in memory; `kill {pid}` ends it.")
        return endpoint


def running_server(home: Home) -> str:
    """Address of the emulator for deployments in this store; empty where none answers."""
    known = _known(home.root / "emulators" / f"{_NAME}.json")
    return known if known and _answers(known) else ""


def reset_server(endpoint: str) -> None:
    """Empty the emulator at ``endpoint``.

    Raises:
        EnvironmentFaultError: it answers, but doesn't do it.
    """
    request = Request(f"{endpoint}/moto-api/reset", method="POST")  # noqa: S310 - our own address
    try:
        with urlopen(request, timeout=_RESET_S):  # noqa: S310
            pass
    except OSError as error:
        raise EnvironmentFaultError(
            f"The emulated AWS at {endpoint} can't be emptied: {error}.",
            hint="End its process; what it holds goes with it. Then make destroy again.",
        ) from error


def _known(path: Path) -> str:
    try:
        return str(json.loads(path.read_bytes())["endpoint"])
    except (OSError, ValueError, KeyError):
        return ""


def _start(folder: Path) -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    with (folder / f"{_NAME}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "isocenter.emulators.aws", str(folder / _NAME), str(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_S
    while not _answers(endpoint):
        if process.poll() is not None or time.monotonic() > deadline:
            raise EnvironmentFaultError(
                f"The emulated AWS doesn't start; {folder / f'{_NAME}.log'} says why.",
                hint="pip install 'isocenter-infra[emulator]' (make deploy CLOUD=aws EMULATE=1 does it).",
            )
        time.sleep(0.1)
    body = json.dumps({"endpoint": endpoint, "pid": process.pid})
    write_bytes(folder / f"{_NAME}.json", body.encode(), mode=0o600)
    return endpoint, process.pid


def _answers(endpoint: str) -> bool:
    try:
        with urlopen(f"{endpoint}/moto-api/config", timeout=5) as answer:  # noqa: S310 - our own address
            return bool(answer.status < 300)
    except (URLError, OSError):
        return False
