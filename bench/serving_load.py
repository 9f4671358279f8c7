"""Clients that post DICOM files, each the next when the last is answered, for a while.

    python bench/serving_load.py URL FORM CLIENTS SECONDS FILE...

Started by ``bench/serving.py``; FORM is ``body`` or ``upload``. Prints JSON: seconds of each request, and
each file's scores.
"""

import asyncio
import itertools
import json
import sys
import time
from pathlib import Path

import aiohttp


async def load(url: str, form: str, clients: int, seconds: float, files: list[bytes]) -> dict[str, object]:
    """Requests that ended within ``seconds``."""
    taken: list[float] = []
    scores: dict[int, set[float]] = {}
    order = itertools.count()
    end = time.perf_counter() + seconds

    async def ask(session: aiohttp.ClientSession) -> None:
        while time.perf_counter() < end:
            number = next(order) % len(files)
            began = time.perf_counter()
            if form == "upload":
                data = aiohttp.FormData()
                data.add_field("file", files[number], filename="a.dcm", content_type="application/dicom")
                sent = session.post(url, data=data)
            else:
                sent = session.post(url, data=files[number], headers={"Content-Type": "application/dicom"})
            async with sent as answer:
                body = await answer.json()
                assert answer.status == 200, body
            if time.perf_counter() < end:
                taken.append(time.perf_counter() - began)
            scores.setdefault(number, set()).add(body["score"])

    connector = aiohttp.TCPConnector(limit=clients)
    timeout = aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        await asyncio.gather(*(ask(session) for _ in range(clients)))
    return {"seconds": taken, "scores": {number: sorted(found) for number, found in scores.items()}}


if __name__ == "__main__":
    paths = [Path(word) for word in sys.argv[5:]]
    found = load(
        sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), [path.read_bytes() for path in paths]
    )
    print(json.dumps(asyncio.run(found)))
