"""``python -m isocenter.emulators.aws.moto_child PORT``: moto's server, until standard input is closed.

The emulator holds the other end: when it ends or is killed, so does this.
"""

import os
import sys
import threading


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serve."""
    from moto.server import main as serve

    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve(["-H", "127.0.0.1", "-p", sys.argv[1]])


if __name__ == "__main__":
    main()
