"""Azurite, Microsoft's emulator of Blob Storage, as a child of this process.

npm brings it, pinned with its digests by ``azurite/package-lock.json``, into ``$ISOCENTER_AZURITE``, else
``isocenter/azurite-VERSION`` in the user's cache.
https://learn.microsoft.com/azure/storage/common/storage-use-azurite
"""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from filelock import FileLock

from isocenter.errors import EnvironmentFaultError

# The account that every Azurite has.
ACCOUNT = "devstoreaccount1"
_LOCKED = Path(__file__).with_name("azurite")
_MAIN = Path("node_modules", "azurite", "dist", "src", "blob", "main.js")
_START_S = 60.0
_POLL_S = 0.05


class BlobStorage:
    """One Azurite; what it holds stays in ``folder``.

    Args:
        folder: its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ""

    def start(self) -> None:
        """Start it at the port of the last time, or a free one; it ends when this process does.

        Raises:
            EnvironmentFaultError: node or npm is missing, or it doesn't start.
        """
        program = install()
        self._folder.mkdir(parents=True, exist_ok=True)
        port = self._port()
        log = self._folder / "azurite.log"
        offset = log.stat().st_size if log.exists() else 0
        command = ["node", "--require", str(_LOCKED / "end_with_parent.cjs"), str(program / _MAIN)]
        options = ["--location", str(self._folder), "--blobPort", str(port), "--silent"]
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                [*command, *options, "--skipApiVersionCheck", "--disableTelemetry"],
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        self.address = f"{self._listening(log, offset)}/{ACCOUNT}"
        (self._folder / "port").write_text(self.address.split(":")[2].split("/")[0])

    def close(self) -> None:
        """End it; what it holds is saved."""
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _port(self) -> int:
        """The last one's if it is free: URLs that were given out stay good."""
        known = self._folder / "port"
        port = int(known.read_text()) if known.is_file() else 0
        deadline = time.monotonic() + 5
        # The Azurite of an emulator that was killed is about to end.
        while port and time.monotonic() < deadline:
            try:
                with socket.create_server(("127.0.0.1", port)):
                    return port
            except OSError:
                time.sleep(_POLL_S)
        return 0

    def _listening(self, log: Path, offset: int) -> str:
        assert self._process is not None  # noqa: S101 - started just before
        deadline = time.monotonic() + _START_S
        while True:
            said = log.read_bytes()[offset:].decode(errors="replace")
            if found := re.search(r"successfully listens on (http://127\.0\.0\.1:\d+)", said):
                return found[1]
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise EnvironmentFaultError(
                    f"Azurite doesn't start. {said.strip()[-300:]}", hint=f"See {log}."
                )
            time.sleep(_POLL_S)


def install() -> Path:
    """The folder that holds Azurite; npm brings it at the first call (a minute, 365 MB).

    Raises:
        EnvironmentFaultError: node or npm is missing, or npm fails.
    """
    if missing := [name for name in ("node", "npm") if shutil.which(name) is None]:
        raise EnvironmentFaultError(
            f"The emulated Azure's storage is Azurite, which needs {' and '.join(missing)}.",
            hint="Node 20 or newer; on Debian: apt-get install npm.",
        )
    lock_file = (_LOCKED / "package-lock.json").read_bytes()
    folder = _cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFaultError(
            f"Azurite can't be kept in {folder}: {error.strerror}.", hint="Set ISOCENTER_AZURITE to a folder."
        ) from error
    done = folder / "installed-lock.json"
    with FileLock(folder / "lock"):
        if not (done.is_file() and done.read_bytes() == lock_file):
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(_LOCKED / name, folder / name)
            _run_npm(folder)
            done.write_bytes(lock_file)
    return folder


def _cache() -> Path:
    if chosen := os.environ.get("ISOCENTER_AZURITE"):
        return Path(chosen).absolute()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "isocenter" / "azurite"


def _run_npm(folder: Path) -> None:
    arguments = ["ci", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(["npm", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise EnvironmentFaultError(
            f"npm could not install Azurite. {(done.stderr or done.stdout).strip()[-300:]}",
            hint="It needs the npm registry once; ISOCENTER_AZURITE names a folder where it is installed.",
        )
