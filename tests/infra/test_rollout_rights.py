"""The pipeline's role on AWS may do what a rollout does, and what Auto Scaling does in its name; no more.

Rollouts are real ones, against an emulator whose endpoints answer: each call that boto3 makes is taken to the
policy of the synthesized stack, with the resources and keys that the Service Authorization Reference names.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="LACKS: moto; pip install 'isocenter[aws-emulator]'")

from infra.iam_evaluator import Asked, RolePolicy
from infra_examples import example

from isocenter.backends.aws_calls import aws_client
from isocenter.domain.rollout import EndpointState, InstanceSize, Rollout, Scaling, Variant
from isocenter.domain.run import new_run_id
from isocenter.emulators.aws.emulator import AwsEmulator
from isocenter.home import Home
from isocenter.servers.sagemaker import SageMakerServer
from isocenter.servers.sagemaker_names import EndpointNames
from isocenter.targets.descriptor import DeploymentDescriptor

sys.path.insert(0, str(Path(__file__).parents[1] / "servers"))
from server_contract import settle, wait_until_gone

SERVERS = Path(__file__).parents[1] / "servers"
NAME = "chest-xray"
ACCOUNT = "eu-central-1:123456789012"
CALLED = {"aws:CalledViaLast": "application-autoscaling.amazonaws.com"}
VARIANTS = {
    "application-autoscaling:service-namespace": "sagemaker",
    "application-autoscaling:scalable-dimension": "sagemaker:variant:DesiredInstanceCount",
}
LINKED = "sagemaker.application-autoscaling.amazonaws.com"
LINKED_ROLE = (
    f"arn:aws:iam::123456789012:role/aws-service-role/{LINKED}"
    "/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)
# Resource type and field of what each call of SageMaker's is about; the others are about none.
ABOUT = {
    "CreateModel": {"model": "ModelName"},
    "DescribeModel": {"model": "ModelName"},
    "DeleteModel": {"model": "ModelName"},
    "CreateEndpointConfig": {"endpoint-config": "EndpointConfigName"},
    "DescribeEndpointConfig": {"endpoint-config": "EndpointConfigName"},
    "DeleteEndpointConfig": {"endpoint-config": "EndpointConfigName"},
    "CreateEndpoint": {"endpoint": "EndpointName", "endpoint-config": "EndpointConfigName"},
    "UpdateEndpoint": {"endpoint": "EndpointName", "endpoint-config": "EndpointConfigName"},
    "UpdateEndpointWeightsAndCapacities": {"endpoint": "EndpointName"},
    "DescribeEndpoint": {"endpoint": "EndpointName"},
    "DeleteEndpoint": {"endpoint": "EndpointName"},
}


def sagemaker(operation: str, given: Mapping[str, Any]) -> Iterator[Asked]:
    action, keys = f"sagemaker:{operation}", dict(keys_of(given))
    arns = [
        f"arn:aws:sagemaker:{ACCOUNT}:{kind}/{given[name]}" for kind, name in ABOUT.get(operation, {}).items()
    ]
    if operation in ("ListTags", "AddTags"):
        arns = [given["ResourceArn"]]
    yield from (Asked(action, arn, keys) for arn in arns or ["*"])
    if given.get("Tags") and operation != "AddTags":
        yield Asked("sagemaker:AddTags", arns[0])
    if role := given.get("ExecutionRoleArn"):
        yield Asked("iam:PassRole", role, {"iam:PassedToService": "sagemaker.amazonaws.com"})


def keys_of(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Of IAM's condition keys those that the pipeline's policy looks at."""
    if "VpcConfig" in given:
        yield "sagemaker:VpcSubnets", given["VpcConfig"]["Subnets"]
    if "EnableNetworkIsolation" in given:
        yield "sagemaker:NetworkIsolation", str(given["EnableNetworkIsolation"]).lower()
    if "KmsKeyId" in given:
        yield "sagemaker:VolumeKmsKey", given["KmsKeyId"]
    if "ProductionVariants" in given:
        yield "sagemaker:InstanceTypes", [each["InstanceType"] for each in given["ProductionVariants"]]


def scaling(operation: str, given: Mapping[str, Any]) -> Iterator[Asked]:
    """The call itself, and what Application Auto Scaling does then as whoever made it."""
    action = f"application-autoscaling:{operation}"
    if operation.startswith("Describe"):
        yield Asked(action)
        return
    keys = {
        "application-autoscaling:service-namespace": given["ServiceNamespace"],
        "application-autoscaling:scalable-dimension": given["ScalableDimension"],
    }
    yield Asked(action, f"arn:aws:application-autoscaling:{ACCOUNT}:scalable-target/0a1b2c3d", keys)
    alarm = f"arn:aws:cloudwatch:{ACCOUNT}:alarm:TargetTracking-{given['ResourceId']}-AlarmHigh-0a1b2c3d"
    endpoint = given["ResourceId"].partition("/variant/")[0]
    if operation == "RegisterScalableTarget":
        yield Asked("iam:CreateServiceLinkedRole", LINKED_ROLE, {"iam:AWSServiceName": LINKED})
        for needed in ("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities"):
            yield Asked(f"sagemaker:{needed}", f"arn:aws:sagemaker:{ACCOUNT}:{endpoint}")
    elif operation == "PutScalingPolicy":
        yield Asked("cloudwatch:PutMetricAlarm", alarm, CALLED)
        yield Asked("cloudwatch:DescribeAlarms")
    else:
        yield Asked("cloudwatch:DeleteAlarms", alarm, CALLED)


def logs(operation: str, given: Mapping[str, Any]) -> Iterator[Asked]:
    stream = f":log-stream:{given['logStreamName']}" if "logStreamName" in given else ":*"
    yield Asked(f"logs:{operation}", f"arn:aws:logs:{ACCOUNT}:log-group:{given['logGroupName']}{stream}")


def cloudwatch(operation: str, given: Mapping[str, Any]) -> Iterator[Asked]:
    yield Asked(f"cloudwatch:{operation}")


SERVICES: dict[str, Callable[[str, Mapping[str, Any]], Iterator[Asked]]] = {
    "sagemaker": sagemaker,
    "application-autoscaling": scaling,
    "logs": logs,
    "cloudwatch": cloudwatch,
}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    """The example deployment's name and roles, on an emulator."""
    program = [sys.executable, str(SERVERS / "sagemaker_container.py")]
    made = AwsEmulator(tmp_path_factory.mktemp("aws"), ["true"], stop_grace_s=10, serving_program=program)
    yield made.start(example("aws").name, 0)
    made.close()


@pytest.fixture(scope="module")
def policy(stack_of: Callable[..., dict[str, Any]], target: DeploymentDescriptor) -> RolePolicy:
    """The stack's, with what Terraform fills in taken from the emulated deployment."""
    (text,) = (
        body["policy"]
        for body in stack_of("aws")["resource"]["aws_iam_policy"].values()
        if body["//"]["metadata"]["path"].endswith("/identity/pipeline-policy")
    )
    text = re.sub(r"\$\{aws_kms_key\.keys_data_\w+\.arn\}", target.keys["data"], text)
    subnets = json.dumps(list(target.network.subnets))[1:-1]
    text = re.sub(r'"\$\{aws_subnet\.[\w-]+\.id\}"(, "\$\{aws_subnet\.[\w-]+\.id\}")*', subnets, text)
    assert "${" not in text
    return RolePolicy(text)


@pytest.fixture(scope="module")
def asked(target: DeploymentDescriptor) -> list[Asked]:
    """All that IAM was asked in an endpoint's life: new, scaled, a canary, exchanged, failed, deleted."""
    settings = {**target.settings, "descriptor": target.model_dump(mode="json")}
    server, found = SageMakerServer(Home(Path("/store")), settings), list[Asked]()
    made = server._client

    def client(service: str) -> Any:
        client = made(service)
        client.meta.events.register("provide-client-params", partial(note, service), unique_id="rights")
        return client

    def note(service: str, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        found.extend(SERVICES[service](model.name, params))

    server._client = client  # type: ignore[method-assign]
    one, two = variant(target, 1), variant(target, 2)
    broken = variant(target, 3, fails="The network can't be loaded.")
    size, bounds = InstanceSize(cpus=1), Scaling(1, 4)
    plain = partial(Rollout, endpoint=NAME, target=target.name, size=size, scaling=bounds)
    for variants, state in (
        ((one,), EndpointState.READY),
        ((replace(one, weight=80), replace(two, weight=20)), EndpointState.READY),
        ((replace(one, weight=50), replace(two, weight=50)), EndpointState.READY),
        ((broken,), EndpointState.FAILED),
        ((two,), EndpointState.READY),
    ):
        submission = server.plan(plain(new_run_id(), variants=variants))
        assert settle(server, submission).state is state
        server.observe(NAME)
    list(server.logs(NAME))
    server.delete(NAME)
    wait_until_gone(server, NAME)
    return found


def variant(target: DeploymentDescriptor, number: int, **behaviour: Any) -> Variant:
    """``cxr:<number>`` with a bundle for the stand-in, in the target's bucket."""
    uri = f"{target.buckets['models']}/artifacts/{number}"
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = json.dumps(behaviour).encode()
    aws_client(target, "s3").put_object(Bucket=bucket, Key=f"{key}/behaviour.json", Body=body)
    return Variant(f"cxr:{number}", f"sha256:{number:064}", uri)


def test_whatever_a_rollout_does_is_allowed(policy: RolePolicy, asked: list[Asked]) -> None:
    assert {each.action for each in asked} >= {
        *(f"sagemaker:{operation}" for operation in ABOUT),
        *("sagemaker:AddTags", "sagemaker:ListTags", "sagemaker:ListModels", "sagemaker:ListEndpointConfigs"),
        *("logs:DescribeLogStreams", "logs:GetLogEvents"),
    }, "the rollouts have not done all that rollouts do"
    assert [each for each in asked if not policy.allows(each)] == []


def test_what_is_allowed_for_rollouts_is_what_they_do(policy: RolePolicy, asked: list[Asked]) -> None:
    allowed = policy.actions("Look", "Scale", "ScaleByAlarms", "LetScalingAct", "ReadLogs")
    assert allowed - {each.action for each in asked} == {"logs:FilterLogEvents"}, "which tells of jobs"


SCALABLE = f"arn:aws:application-autoscaling:{ACCOUNT}:scalable-target/0a1b2c3d"
ALARM = f"arn:aws:cloudwatch:{ACCOUNT}:alarm"
SPACE, DIMENSION = VARIANTS


@pytest.mark.parametrize(
    "beyond",
    [
        Asked("sagemaker:UpdateEndpoint", f"arn:aws:sagemaker:{ACCOUNT}:endpoint/others-chest-xray"),
        Asked("application-autoscaling:RegisterScalableTarget", SCALABLE, {**VARIANTS, SPACE: "ecs"}),
        Asked(
            "application-autoscaling:PutScalingPolicy",
            SCALABLE,
            {**VARIANTS, DIMENSION: "sagemaker:inference-component:DesiredCopyCount"},
        ),
        Asked("application-autoscaling:PutScheduledAction", SCALABLE, VARIANTS),
        Asked("cloudwatch:PutMetricAlarm", f"{ALARM}:TargetTracking-endpoint/aws-example-x/variant/x-1"),
        Asked("cloudwatch:DeleteAlarms", f"{ALARM}:TargetTracking-endpoint/others-x/variant/x-1", CALLED),
        Asked("cloudwatch:DeleteAlarms", f"{ALARM}:aws-example-chest-xray-errors", CALLED),
        Asked("iam:CreateServiceLinkedRole", LINKED_ROLE, {"iam:AWSServiceName": "eks.amazonaws.com"}),
    ],
    ids=lambda beyond: f"{beyond.action}-{beyond.resource.rpartition(':')[2]}",
)
def test_what_no_rollout_does_is_not(policy: RolePolicy, beyond: Asked) -> None:
    assert not policy.allows(beyond)


def test_the_alarm_watches_the_endpoint_that_a_rollout_makes(
    stack_of: Callable[..., dict[str, Any]], target: DeploymentDescriptor
) -> None:
    """All of its variants: they are named by their versions, and change with each rollout."""
    (alarm,) = (
        body
        for body in stack_of("aws")["resource"]["aws_cloudwatch_metric_alarm"].values()
        if "/serving/" in body["//"]["metadata"]["path"]
    )
    (query,) = alarm["metric_query"]
    made = EndpointNames.of(target, NAME).endpoint
    assert query["expression"] == (
        'SELECT SUM(Invocation5XXErrors) FROM SCHEMA("AWS/SageMaker", EndpointName, VariantName)'
        f" WHERE EndpointName = '{made}'"
    )
    assert (query["period"], query["return_data"]) == (60, True)
    assert (alarm["threshold"], alarm["evaluation_periods"]) == (1, 3)
    assert alarm["treat_missing_data"] == "notBreaching"
    assert alarm["comparison_operator"] == "GreaterThanOrEqualToThreshold"
    assert not {"metric_name", "namespace", "dimensions", "period", "statistic"} & set(alarm)
    assert not [kind for kind in stack_of("aws")["resource"] if kind.startswith("aws_appautoscaling")]
