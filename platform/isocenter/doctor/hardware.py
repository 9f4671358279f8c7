"""What this machine computes with: asked of torch, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from isocenter.doctor.check import Check, missing, ok, warning

_TIME_LIMIT_S = 120
_QUESTION = """
import json, torch
gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
flags = open("/proc/cpuinfo").read() if not gpus else ""
print(json.dumps({
    "version": torch.__version__, "threads": torch.get_num_threads(), "gpus": gpus,
    "built_for_cuda": torch.version.cuda,
    "bf16": torch.cuda.is_bf16_supported() if gpus else "avx512_bf16" in flags or "amx_bf16" in flags,
}))
"""


def check_computing() -> Iterator[Check]:
    """torch, threads, bfloat16 and GPU."""
    found = _ask_torch()
    if found is None:
        yield missing("torch", "can't be imported", "make setup", required=True)
        return
    yield ok("torch", found["version"], required=True)
    yield ok("threads", f"{found['threads']} of {len(os.sched_getaffinity(0))} usable cores")
    where = "the GPU" if found["gpus"] else "the processor"
    if found["bf16"]:
        yield ok("bfloat16", f"{where} computes in it")
    else:
        yield warning("bfloat16", f"{where} does not compute in it natively: training stays in float32", "")
    yield _gpu(found)


def _gpu(found: Mapping[str, Any]) -> Check:
    if found["gpus"]:
        return ok("GPU", ", ".join(found["gpus"]))
    if found["built_for_cuda"]:
        return missing("GPU", "torch sees none", "check the driver with nvidia-smi")
    return missing(
        "GPU", "this torch is built for processors only", "install the CUDA build of the same torch"
    )


def _ask_torch() -> Mapping[str, Any] | None:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _QUESTION], capture_output=True, timeout=_TIME_LIMIT_S, check=False
        )
        answer = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    return answer if isinstance(answer, dict) else None
