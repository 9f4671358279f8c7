"""Run by .venv-pipelines: does kfp take our IR, whole and unchanged? Prints what it read as JSON.

Arguments: files. Exit code: 1 where a file is refused or comes out changed.
"""

import json
import sys
import tempfile
from pathlib import Path

import yaml
from google.protobuf import json_format
from kfp import compiler, components
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2


def check(path: Path) -> dict[str, object]:
    text = path.read_text()
    documents = list(yaml.safe_load_all(text))
    # Unknown fields and wrong types are errors here.
    message = json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
    for document in documents[1:]:
        executors = document["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        for executor in executors.values():
            json_format.ParseDict(executor, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
    component = components.load_component_from_text(text)
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder, "again.yaml")
        compiler.Compiler().compile(component, str(again))
        if list(yaml.safe_load_all(again.read_text())) != documents:
            raise SystemExit(f"kfp wrote {path} otherwise")
    return {
        "kind": type(component).__name__,
        "inputs": sorted(component.component_spec.inputs or {}),
        "tasks": sorted(message.root.dag.tasks),
        "needs": {name: list(task.dependent_tasks) for name, task in message.root.dag.tasks.items()},
        "retries": {n: t.retry_policy.max_retry_count for n, t in message.root.dag.tasks.items()},
        "keys": {n: t.caching_options.cache_key for n, t in message.root.dag.tasks.items()},
    }


print(json.dumps({name: check(Path(name)) for name in sys.argv[1:]}))
