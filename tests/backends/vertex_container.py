"""What the image's entry point does on Vertex AI, around a program of a test: ``-c SOURCE --run-id ...``.

A second, small implementation of the container contract, so that the emulator is not only held against ours.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import gcsfs


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("-c", dest="source", required=True)
    for name in ("--run-id", "--parameters", "--output"):
        parser.add_argument(name, required=True)
    parser.add_argument("--input", action="append", default=[])
    given = parser.parse_args()
    places = {
        "MODEL": os.environ["AIP_MODEL_DIR"],
        "CHECKPOINT": os.environ["AIP_CHECKPOINT_DIR"],
        "OUTPUT": given.output,
    }
    files = gcsfs.GCSFileSystem(token="anon")
    folders = {kind: Path(tempfile.mkdtemp()) for kind in places}
    for name in files.find(places["CHECKPOINT"]):
        path = folders["CHECKPOINT"] / name.partition("/checkpoints/")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        files.get_file(name, str(path))
    environment = {
        **os.environ,
        "ISOCENTER_RUN_ID": given.run_id,
        "ISOCENTER_PARAMETERS": given.parameters,
        **{f"ISOCENTER_{kind}_DIR": str(folder) for kind, folder in folders.items()},
        **{f"ISOCENTER_INPUT_{channel.upper()}": mounted(uri) for channel, uri in map(pair, given.input)},
    }
    process = subprocess.Popen([sys.executable, "-c", given.source], env=environment)
    signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGTERM))
    code = process.wait()
    for kind, folder in folders.items():
        if code == 0 or kind == "CHECKPOINT":
            for path in folder.rglob("*"):
                if path.is_file():
                    files.put_file(str(path), f"{places[kind].rstrip('/')}/{path.relative_to(folder)}")
    return code if code >= 0 else 128 - code


def pair(text: str) -> tuple[str, str]:
    channel, _, uri = text.partition("=")
    return channel, uri


def mounted(uri: str) -> str:
    """Vertex AI mounts every bucket under /gcs."""
    return str(Path(os.environ["ISOCENTER_GCS_ROOT"]) / uri.removeprefix("gs://"))


if __name__ == "__main__":
    sys.exit(main())
