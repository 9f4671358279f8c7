"""What ``make demo`` puts on an endpoint: callers that keep sending files until they are told to stop.

    ISOCENTER_TOKEN=$(isocenter endpoint token NAME) python docs/demo_callers.py URL FILE... [--once]

Each caller sends one file after the other, as a viewer does, and looks at every answer. SIGTERM ends them
after their last answer; then the answers are counted by version. With --once each file is sent once and its
answer printed. Exit code 1 if a request got an error or no answer.
"""

import argparse
import asyncio
import json
import os
import signal
from collections import Counter
from http import HTTPStatus
from itertools import cycle
from pathlib import Path
from typing import Any

import aiohttp

CALLERS = 4
ANSWER_WITHIN_S = 60
REFUSED = HTTPStatus.UNPROCESSABLE_ENTITY
"""An answer too: the file is no image that the model takes."""


async def send(session: aiohttp.ClientSession, route: str, path: Path) -> dict[str, Any]:
    """The answer, or ``{"failed": what went wrong}``."""
    try:
        async with session.post(route, data=path.read_bytes()) as answer:
            if answer.status == REFUSED:
                return {"refused": (await answer.json(content_type=None))["code"]}
            if answer.status != HTTPStatus.OK:
                return {"failed": f"status {answer.status}"}
            return dict(await answer.json())
    except (aiohttp.ClientError, TimeoutError) as broken:
        return {"failed": type(broken).__name__}


async def keep_sending(session: aiohttp.ClientSession, route: str, files: list[Path]) -> Counter[str]:
    """All callers until SIGTERM: the answers of each version, and the failures of each kind, counted."""
    stop, seen = asyncio.Event(), Counter[str]()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(f"{CALLERS} callers send files to {route}", flush=True)

    async def caller() -> None:
        for path in cycle(files):
            if stop.is_set():
                return
            said = await send(session, route, path)
            seen[said.get("failed") or _who(said)] += 1

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return seen


def _who(said: dict[str, Any]) -> str:
    return "refused:file" if "refused" in said else f"{said['model']}:{said['version']}"


async def ask(url: str, files: list[Path], *, once: bool) -> int:
    """Send, print, and give the exit code."""
    headers = {
        "Authorization": f"Bearer {os.environ['ISOCENTER_TOKEN']}",
        "Content-Type": "application/dicom",
    }
    patience = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
    async with aiohttp.ClientSession(headers=headers, timeout=patience) as session:
        route = f"{url}/v1/predict"
        if once:
            answers = [await send(session, route, path) for path in files]
            for path, said in zip(files, answers, strict=True):
                print(f"{path.name}  {json.dumps(said)}")
            return int(any("failed" in said for said in answers))
        seen = await keep_sending(session, route, files)
    counts = ", ".join(f"{count} {what}" for what, count in sorted(seen.items()))
    failed = sum(count for what, count in seen.items() if ":" not in what)
    print(f"{sum(seen.values())} requests of {CALLERS} callers at once: {counts}; {failed} failed")
    return int(failed > 0 or not seen)


def main() -> int:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(description="Send files to an endpoint, once or until SIGTERM.")
    parser.add_argument("url")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--once", action="store_true")
    asked = parser.parse_args()
    return asyncio.run(ask(asked.url, asked.files, once=asked.once))


if __name__ == "__main__":
    raise SystemExit(main())
