"""``python -m isocenter.emulators.aws FOLDER PORT``: an emulated account with nothing in it, until SIGTERM.

For ``make deploy CLOUD=aws EMULATE=1``, which fills it. ``isocenter emulate aws`` makes one that is a target.
"""

import sys
from pathlib import Path

from isocenter.emulators.aws.emulator import AwsEmulator
from isocenter.emulators.serve import PROGRAM, wait_for_end


def main() -> None:
    """Serve."""
    folder, port = sys.argv[1:]
    emulator = AwsEmulator(Path(folder), PROGRAM)
    try:
        emulator.listen(int(port))
        wait_for_end()
    finally:
        emulator.close()


if __name__ == "__main__":
    main()
