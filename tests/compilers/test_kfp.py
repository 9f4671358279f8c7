"""The IR for Vertex AI and Kubeflow, read by kfp itself."""

import re
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from sdk import run_check
from targets import SPEC, compile_for


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["vertex", "kubeflow"])
def test_kfp_reads_the_ir_and_writes_it_back_unchanged(format_: str, tmp_path: Path) -> None:
    """kfp's protobufs refuse unknown fields; its loader and its compiler check names, inputs and types."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(compile_for(format_).text)
    found = run_check(".venv-pipelines", "check_kfp.py", path)[str(path)]
    steps = {step.name: step for step in SPEC.in_service}
    assert found["tasks"] == sorted(steps)
    assert found["inputs"] == sorted(parameter.name for parameter in SPEC.parameters)
    assert found["needs"] == {name: list(step.needs) for name, step in steps.items()}
    assert found["retries"] == {name: step.retry.times for name, step in steps.items()}
    assert found["keys"] == {name: step.cache_key if step.cached else "" for name, step in steps.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"), [("enableCache:", "enableCaching:"), ("maxRetryCount: 2", "maxRetryCount: often")]
)
def test_kfp_would_refuse_a_wrong_one(old: str, new: str, tmp_path: Path) -> None:
    text = compile_for("vertex").text
    assert old in text
    path = tmp_path / "pipeline.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(AssertionError):
        run_check(".venv-pipelines", "check_kfp.py", path)


@pytest.mark.parametrize("format_", ["vertex", "kubeflow"])
def test_every_reference_in_the_ir_is_to_something_there(format_: str) -> None:
    """kfp's loader looks at types, not at whether a task that is named exists."""
    ir = next(iter(yaml.safe_load_all(compile_for(format_).text)))
    tasks, components = ir["root"]["dag"]["tasks"], ir["components"]
    executors = ir["deploymentSpec"]["executors"]
    for task in tasks.values():
        component = components[task["componentRef"]["name"]]
        container = executors[component["executorLabel"]]["container"]
        declared = component.get("inputDefinitions", {})
        given = task.get("inputs", {})
        assert {kind: set(names) for kind, names in declared.items()} == {k: set(n) for k, n in given.items()}
        for source in given.get("artifacts", {}).values():
            wanted = source["taskOutputArtifact"]
            producer = components[tasks[wanted["producerTask"]]["componentRef"]["name"]]
            assert wanted["outputArtifactKey"] in producer["outputDefinitions"]["artifacts"]
            assert wanted["producerTask"] in task["dependentTasks"]
        for source in given.get("parameters", {}).values():
            assert source["componentInputParameter"] in ir["root"]["inputDefinitions"]["parameters"]
        outputs = set(component.get("outputDefinitions", {}).get("artifacts", {}))
        for kind, name in re.findall(
            r"\$\.(inputs\.parameters|inputs\.artifacts|outputs\.artifacts)\['(\w+)'\]",
            " ".join(container["args"]),
        ):
            there = outputs if kind == "outputs.artifacts" else set(declared.get(kind.partition(".")[2], ()))
            assert name in there
