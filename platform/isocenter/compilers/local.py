"""The plain list of steps, for this machine: each is one command, to be run in order."""

import json

from isocenter.compilers.base import CompiledPipeline
from isocenter.compilers.container import PLATFORM_PROGRAM
from isocenter.compilers.spec import PipelineSpec, PipelineStep
from isocenter.targets.descriptor import DeploymentDescriptor


def compile_local(spec: PipelineSpec, target: DeploymentDescriptor | None) -> CompiledPipeline:
    """See :class:`isocenter.compilers.base.Compiler`.

    The request stands in the file once; each command reads it from standard input. With a target, the jobs go
    there, one by one, and the site waits for each.
    """
    name = target.name if target is not None else "local"
    body = {
        "schema_version": 1,
        "pipeline": spec.name,
        "target": name,
        "request": dict(spec.request),
        "steps": [_step(step, name) for step in spec.steps],
    }
    text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
    return CompiledPipeline("local", text, f"{spec.name}.local.json")


def _step(step: PipelineStep, target: str) -> dict[str, object]:
    return {
        "name": step.name,
        "place": step.place,
        "needs": list(step.needs),
        "when": step.when,
        "retries": step.retry.times,
        "retry_wait_s": step.retry.wait_s,
        "retry_factor": step.retry.factor,
        "timeout_s": step.timeout_s,
        "cache_key": step.cache_key,
        "cached": step.cached,
        "command": site_command(step, target),
    }


def site_command(step: PipelineStep, target: str) -> list[str]:
    """The command that does one step at the site; the request comes on standard input."""
    return [*PLATFORM_PROGRAM, step.name, "--request=-", f"--target={target}"]
