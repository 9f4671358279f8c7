"""What the image's entry point does around a program of a test: Kubernetes' container contract, in short.

Inputs are fetched, checkpoints too, and outputs are sent to the object store; the last paragraph of what a
failed program said goes to the termination message. With plain HTTP: the SDK would take longer than the job.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

STORE = os.environ["AWS_ENDPOINT_URL"]
SCOPE = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/us-east-1/s3/aws4_request"
HEADERS = {
    "Authorization": f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=0",
    "Content-Type": "application/octet-stream",
}
PLACES = ("MODEL", "OUTPUT", "CHECKPOINT")
STOPPED = 128 + signal.SIGTERM


def ask(path: str, data: bytes | None = None) -> bytes:
    method = "GET" if data is None else "PUT"
    with urlopen(Request(f"{STORE}/{path}", data, HEADERS, method=method), timeout=30) as answer:
        return answer.read()


def fetch(uri: str, folder: Path) -> None:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    listed = ask(f"{bucket}?list-type=2&prefix={quote(prefix + '/')}").decode()
    for key in re.findall("<Key>([^<]+)</Key>", listed):
        path = folder / key.removeprefix(f"{prefix}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ask(f"{bucket}/{quote(key)}"))


def send(folder: Path, uri: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            place = f"{uri.removeprefix('s3://')}/{path.relative_to(folder).as_posix()}"
            ask(quote(place), path.read_bytes())


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))  # a program that is not there yet can't stop
    environment = dict(os.environ)
    folders = {place: Path(tempfile.mkdtemp()) for place in PLACES}
    for place, folder in folders.items():
        environment[f"ISOCENTER_{place}_DIR"] = str(folder)
    fetch(os.environ["ISOCENTER_CHECKPOINT_DIR"], folders["CHECKPOINT"])
    for name, value in os.environ.items():
        if name.startswith("ISOCENTER_INPUT_") and "://" in value:
            environment[name] = tempfile.mkdtemp()
            fetch(value, Path(environment[name]))
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([sys.executable, "-c", sys.argv[1]], env=environment, stderr=said)
        signal.signal(signal.SIGTERM, lambda *_: None)  # the program has it as well
        code = process.wait()
        said.seek(0)
        words = said.read().decode()
    sys.stderr.write(words)
    send(folders["CHECKPOINT"], os.environ["ISOCENTER_CHECKPOINT_DIR"])
    if code == 0:
        send(folders["MODEL"], os.environ["ISOCENTER_MODEL_DIR"])
        send(folders["OUTPUT"], os.environ["ISOCENTER_OUTPUT_DIR"])
    else:
        Path(os.environ["ISOCENTER_TERMINATION_LOG"]).write_text(words.strip().rpartition("\n\n")[2])
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
