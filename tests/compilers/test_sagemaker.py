"""The SageMaker definition against botocore's model, the sagemaker SDK, and moto."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from sdk import run_check
from targets import AWS, SPEC, compile_for, make_request

from isocenter.compilers.base import CompiledPipeline
from isocenter.compilers.sagemaker import compile_sagemaker
from isocenter.compilers.training import training_pipeline
from isocenter.domain.training_job import Compute

OPERATIONS = {
    "Training": ("CreateTrainingJob", "TrainingJobName"),
    "Processing": ("CreateProcessingJob", "ProcessingJobName"),
}


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(compile_for("sagemaker").text)
    return made


def plain(value: Any) -> Any:
    """``value`` with a text for each reference, of the kind that it stands for."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Get"}:
        return "s3://bucket/of-a-step" if value["Get"].startswith("Steps.") else "value"
    if set(value) == {"Std:Join"}:
        return value["Std:Join"]["On"].join(plain(value["Std:Join"]["Values"]))
    return {key: plain(each) for key, each in value.items()}


def faults(kind: str, arguments: dict[str, Any]) -> str:
    """What botocore says of a step's arguments, which are a request without the job's name."""
    session = pytest.importorskip("botocore.session", reason="LACKS: boto3; make setup EXTRAS=aws")
    from botocore.validate import ParamValidator

    operation, name = OPERATIONS[kind]
    model = session.get_session().get_service_model("sagemaker").operation_model(operation)
    report = ParamValidator().validate({**plain(arguments), name: "made-by-sagemaker"}, model.input_shape)
    return str(report.generate_report())


def test_arguments_are_requests_that_botocore_takes(definition: dict[str, Any]) -> None:
    for step in definition["Steps"]:
        assert faults(step["Type"], step["Arguments"]) == "", step["Name"]
    broken = {**definition["Steps"][0]["Arguments"], "Machine": "big"}
    assert 'Unknown parameter in input: "Machine"' in faults("Training", broken)


def test_limits_of_the_service_hold(definition: dict[str, Any]) -> None:
    """What botocore doesn't check: lengths of arguments, values and variables."""
    for step in definition["Steps"]:
        arguments = step["Arguments"]
        assert all(len(value) <= 512 for value in arguments["Environment"].values())
        given = arguments.get("AppSpecification", {}).get("ContainerArguments", [])
        assert all(1 <= len(each) <= 256 for each in given)
        assert len(given) <= 100
        assert all(len(value) <= 2500 for value in arguments.get("HyperParameters", {}).values())


def test_key_network_role_and_isolation_are_in_each_step(definition: dict[str, Any]) -> None:
    for step in definition["Steps"]:
        arguments = step["Arguments"]
        inside = arguments.get("NetworkConfig", arguments)
        assert inside["EnableNetworkIsolation"] is True
        assert inside["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
        output = arguments.get("OutputDataConfig") or arguments["ProcessingOutputConfig"]
        assert output["KmsKeyId"] == AWS.keys["data"]
        assert arguments["RoleArn"] == AWS.identities["training"]
        assert {"Key": "model", "Value": "chest-xray"} in arguments["Tags"]


def test_spot_and_several_machines_carry_over() -> None:
    compute = Compute(gpu="l4", gpu_count=1, nodes=2, spot=True, max_runtime_s=3600)
    spec = training_pipeline(make_request(compute=compute), code="c", dataset="sha256:" + "d" * 64)
    train, evaluate = json.loads(compile_sagemaker(spec, AWS).text)["Steps"][:2]
    assert train["Arguments"]["EnableManagedSpotTraining"] is True
    assert train["Arguments"]["ResourceConfig"]["InstanceCount"] == 2
    assert train["Arguments"]["CheckpointConfig"]["S3Uri"]["Std:Join"]["Values"][-1] == {
        "Get": "Parameters.dataset"
    }
    assert evaluate["Arguments"]["ResourceConfig"]["InstanceCount"] == 1
    assert faults("Training", train["Arguments"]) == ""


def test_the_gate_is_told_its_rules_in_pieces(definition: dict[str, Any]) -> None:
    given = definition["Steps"][2]["Arguments"]["AppSpecification"]["ContainerArguments"]
    pieces = [each.partition("=")[2] for each in given if each.startswith("--acceptance=")]
    assert json.loads("".join(pieces)) == SPEC.step("gate").options["acceptance"]


@pytest.mark.slow
def test_the_sagemaker_sdk_writes_the_same_definition(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.json"
    path.write_text(compile_for("sagemaker").text)
    found = run_check(".venv-pipelines", "check_sagemaker.py", path)
    assert found["steps"] == [step.name for step in SPEC.in_service]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Steps.train.ModelArtifacts.S3ModelArtifacts", "Steps.train.ModelArtifacts.S3Model"),
        ("Step.THROTTLING", "Step.TIRED"),
        ('"MaxAttempts": 2', '"MaxAttempts": 99'),
    ],
)
def test_the_sdk_would_refuse_a_wrong_one(old: str, new: str, tmp_path: Path) -> None:
    text = compile_for("sagemaker").text
    assert old in text
    path = tmp_path / "pipeline.json"
    path.write_text(text.replace(old, new))
    with pytest.raises(AssertionError):
        run_check(".venv-pipelines", "check_sagemaker.py", path)


def test_moto_takes_it_and_it_is_started_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """create_pipeline, start and describe through boto3; moto itself looks at little of a definition."""
    moto = pytest.importorskip("moto", reason="LACKS: moto; pip install 'isocenter[aws-emulator]'")
    from isocenter.orchestrators.sagemaker import SageMakerPipelines

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    compiled = compile_for("sagemaker")
    with moto.mock_aws():
        pipelines = SageMakerPipelines(AWS)
        parameters = {"dataset": "e" * 64, "execution": "01J"}
        arn = pipelines.submit(compiled, parameters, "01J")
        assert pipelines.submit(compiled, parameters, "01J") == arn
        changed = CompiledPipeline("sagemaker", compiled.text.replace("by-hand", "other"), compiled.file_name)
        assert pipelines.submit(changed, parameters, "01K") != arn
        client = pipelines._client
        kept = client.describe_pipeline(PipelineName="isocenter-chest-xray")
        assert kept["PipelineDefinition"] == changed.text
        begun = client.describe_pipeline_execution(PipelineExecutionArn=arn)
        assert begun["PipelineExecutionDisplayName"] == "01J"
        executions = client.list_pipeline_executions(PipelineName="isocenter-chest-xray")
        assert len(executions["PipelineExecutionSummaries"]) == 2
