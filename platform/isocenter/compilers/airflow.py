"""An Airflow 3 DAG: one file for the DAG folder, which needs Airflow, the standard library and ``isocenter``.

Airflow runs at the site, so all six steps are tasks; those with a job drive the target's own service, through
the same backends as ``isocenter pipeline run``.
"""

import json
import pprint
from pathlib import Path

from isocenter.compilers.base import CompiledPipeline
from isocenter.compilers.local import site_command
from isocenter.compilers.spec import PipelineSpec, PipelineStep, When
from isocenter.targets.descriptor import DeploymentDescriptor

_TEMPLATE = Path(__file__).with_name("airflow_dag.py.txt")
# A task that starts nothing is still given so long to find that out.
_WIDTH = 100


def compile_airflow(spec: PipelineSpec, target: DeploymentDescriptor | None) -> CompiledPipeline:
    """See :class:`isocenter.compilers.base.Compiler`."""
    name = target.name if target is not None else "local"
    request = {key: value for key, value in spec.request.items() if key not in ("source", "labels")}
    values = {
        "__DAG_ID__": repr(spec.name),
        "__DESCRIPTION__": repr(spec.description),
        "__TAGS__": repr(
            [*(f"{key}:{value}" for key, value in sorted(spec.labels.items())), f"target:{name}"]
        ),
        "__SOURCE__": repr(spec.request["source"]),
        "__LABELS__": repr(spec.request["labels"]),
        "__REQUEST__": repr(json.dumps(request, sort_keys=True)),
        "__STEPS__": pprint.pformat(
            [_step(step, name) for step in spec.steps], width=_WIDTH, sort_dicts=False
        ),
    }
    text = _TEMPLATE.read_text(encoding="utf-8")
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return CompiledPipeline("airflow", text, f"{spec.name.replace('-', '_')}_dag.py")


def _step(step: PipelineStep, target: str) -> dict[str, object]:
    return {
        "name": step.name,
        "needs": list(step.needs),
        "trigger_rule": _RULES[step.when],
        "retries": step.retry.times,
        "wait_s": step.retry.wait_s,
        "factor": step.retry.factor,
        "timeout_s": step.timeout_s,
        "key": step.cache_key,
        "command": site_command(step, target),
    }


_RULES = {When.ALL_SUCCEEDED: "all_success", When.GATE_PASSED: "all_success"}
