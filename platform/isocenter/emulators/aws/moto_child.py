"""``python -m isocenter.emulators.aws.moto_child PORT [STATE]``: moto's server, as long as it is somebody's.

Without STATE until standard input is closed: whoever started it holds the other end. STATE is a file that
says whose it is (``front``, a process id): this ends when the file goes, and ten minutes after that process
was killed, unless another took the file over.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

_ALONE_S = 600.0
_POLL_S = 0.5


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _end_without_front(state: Path) -> None:
    seen = time.monotonic()
    while state.is_file():
        if _runs(state):
            seen = time.monotonic()
        elif time.monotonic() - seen > _ALONE_S:
            break
        time.sleep(_POLL_S)
    os._exit(0)


def _runs(state: Path) -> bool:
    """Whether the process that the file names is there."""
    try:
        os.kill(int(json.loads(state.read_bytes())["front"]), 0)
    except (OSError, ValueError, KeyError):
        return False
    return True


def main() -> None:
    """Serve."""
    from moto.server import main as serve

    port, *state = sys.argv[1:]
    until, given = (_end_without_front, (Path(state[0]),)) if state else (_end_with_parent, ())
    threading.Thread(target=until, args=given, daemon=True).start()
    serve(["-H", "127.0.0.1", "-p", port])


if __name__ == "__main__":
    main()
