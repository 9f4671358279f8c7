"""The AWS stack, read without the parity table: what would hurt most if it were wrong."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatch
from ipaddress import IPv4Network
from typing import Any

import pytest
from infra_examples import example

from isocenter_infra.deployment import Deployment
from isocenter_infra.parity import check_parity
from isocenter_infra.synthesis import synthesize

Document = dict[str, Any]


@pytest.fixture(scope="module")
def stack(stack_of: Callable[..., Document]) -> Document:
    return stack_of("aws")


def bodies(stack: Document, kind: str) -> dict[str, dict[str, Any]]:
    """Resources of a type by construct path, without the stack's name."""
    named = stack["resource"].get(kind, {})
    return {body["//"]["metadata"]["path"].partition("/")[2]: body for body in named.values()}


def statements(stack: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each statement of each policy in the stack, with the path of its resource."""
    for kind in ("aws_iam_policy", "aws_iam_role_policy"):
        for path, body in bodies(stack, kind).items():
            for statement in json.loads(body["policy"])["Statement"]:
                yield path, statement


def test_every_bucket_has_all_that_a_bucket_must_have(stack: Document) -> None:
    buckets = {path.removesuffix("/bucket") for path in bodies(stack, "aws_s3_bucket")}
    assert buckets == {
        "audit/bucket",
        *(f"storage/{n}" for n in ("logs", "data", "models", "data-copy", "models-copy")),
    }
    for kind, suffix in {
        "aws_s3_bucket_versioning": "versioning",
        "aws_s3_bucket_server_side_encryption_configuration": "encryption",
        "aws_s3_bucket_public_access_block": "public-access",
        "aws_s3_bucket_ownership_controls": "ownership",
        "aws_s3_bucket_policy": "policy",
        "aws_s3_bucket_lifecycle_configuration": "lifecycle",
    }.items():
        assert {path.removesuffix(f"/{suffix}") for path in bodies(stack, kind)} == buckets, kind


def test_a_copy_lies_in_the_second_region_under_its_own_key(stack: Document) -> None:
    for purpose in ("data", "models"):
        for kind, suffix in {
            "aws_s3_bucket": "bucket",
            "aws_s3_bucket_versioning": "versioning",
            "aws_s3_bucket_server_side_encryption_configuration": "encryption",
            "aws_s3_bucket_policy": "policy",
            "aws_s3_bucket_public_access_block": "public-access",
        }.items():
            assert bodies(stack, kind)[f"storage/{purpose}-copy/{suffix}"]["provider"] == "aws.replica"
    assert bodies(stack, "aws_kms_key")["keys/replica"]["provider"] == "aws.replica"


def test_audit_logs_are_kept_and_locked_longer_than_six_years(stack: Document) -> None:
    lock = bodies(stack, "aws_s3_bucket_object_lock_configuration")["audit/bucket/lock"]
    assert lock["rule"]["default_retention"] == {"mode": "COMPLIANCE", "years": 7}
    groups = bodies(stack, "aws_cloudwatch_log_group")
    assert {body["retention_in_days"] for body in groups.values()} == {2557}
    trail = bodies(stack, "aws_cloudtrail")["audit/trail"]
    assert any("object_lock" in name for name in trail["depends_on"]), "the lock must precede the trail"


def test_nothing_leads_to_the_internet(stack: Document) -> None:
    kinds = set(stack["resource"])
    assert not kinds & {
        "aws_internet_gateway",
        "aws_nat_gateway",
        "aws_egress_only_internet_gateway",
        "aws_eip",
    }
    text = json.dumps(stack)
    assert "0.0.0.0/0" not in text and "::/0" not in text
    assert [body["route"] for body in bodies(stack, "aws_route_table").values()] == [[]]
    assert (
        bodies(stack, "aws_eks_cluster")["kubernetes/cluster"]["vpc_config"]["endpoint_public_access"]
        is False
    )


def test_subnets_lie_in_the_network(stack: Document) -> None:
    network = IPv4Network(bodies(stack, "aws_vpc")["network/vpc"]["cidr_block"])
    ranges = [IPv4Network(body["cidr_block"]) for body in bodies(stack, "aws_subnet").values()]
    assert len(ranges) == 3
    assert all(each.subnet_of(network) for each in ranges)


def test_workflows_are_trusted_by_exactly_one_subject_each(stack: Document) -> None:
    roles = bodies(stack, "aws_iam_role")
    issuer = "token.actions.githubusercontent.com"
    for role, subject in {"ci-plan": "pull_request", "ci-deploy": "environment:production"}.items():
        (statement,) = json.loads(roles[f"identity/{role}"]["assume_role_policy"])["Statement"]
        assert statement["Condition"] == {
            "StringEquals": {
                f"{issuer}:aud": "sts.amazonaws.com",
                f"{issuer}:sub": f"repo:hospital-example/isocenter:{subject}",
            }
        }


def test_no_role_but_break_glass_may_do_everything(stack: Document) -> None:
    attached = bodies(stack, "aws_iam_role_policy_attachment")
    admins = [path for path, body in attached.items() if "AdministratorAccess" in body["policy_arn"]]
    assert admins == ["identity/break-glass-administratoraccess"]
    for path, statement in statements(stack):
        if statement["Effect"] == "Allow" and path != "identity/boundary":
            assert "*" not in statement["Action"], path
            assert "Action" in statement and "NotAction" not in statement


def test_each_role_and_group_holds_what_the_stack_gives_it_and_nothing_else(stack: Document) -> None:
    """Else access that somebody adds by hand is no drift."""

    def given(kind: str, owner: str, value: str) -> dict[str, set[str]]:
        """What resources of ``kind`` give to whom, as references."""
        found: dict[str, set[str]] = {}
        for name, body in stack["resource"][kind].items():
            to = body[owner].removesuffix("}").rpartition(".")[0]
            found.setdefault(to, set()).add(f"${{{kind}.{name}.{value}}}")
        return found

    def kept(kind: str, owner: str, values: str) -> dict[str, set[str]]:
        listed = stack["resource"][kind].values()
        return {body[owner].removesuffix("}").rpartition(".")[0]: set(body[values]) for body in listed}

    roles = {f"${{aws_iam_role.{name}" for name in stack["resource"]["aws_iam_role"]}
    groups = {f"${{aws_security_group.{name}" for name in stack["resource"]["aws_security_group"]}
    attachments, inline = "aws_iam_role_policy_attachment", "aws_iam_role_policy"
    for owners, gives, keeps in (
        (
            roles,
            (attachments, "role", "policy_arn"),
            (f"{attachments}s_exclusive", "role_name", "policy_arns"),
        ),
        (roles, (inline, "role", "name"), ("aws_iam_role_policies_exclusive", "role_name", "policy_names")),
        *(
            (
                groups,
                (f"aws_vpc_security_group_{way}_rule", "security_group_id", "security_group_rule_id"),
                ("aws_vpc_security_group_rules_exclusive", "security_group_id", f"{way}_rule_ids"),
            )
            for way in ("ingress", "egress")
        ),
    ):
        everyone = {owner: set[str]() for owner in owners}
        assert kept(*keeps) == everyone | given(*gives), keeps


def test_the_deploying_workflow_may_take_away_what_was_added_by_hand(stack: Document) -> None:
    allowed = {
        action
        for path, statement in statements(stack)
        if path == "identity/ci-deploy-policy" and statement["Effect"] == "Allow"
        for action in statement["Action"]
    }
    needed = {"iam:DetachRolePolicy", "iam:DeleteRolePolicy", "ec2:RevokeSecurityGroup*", "ec2:DeleteRoute"}
    assert needed <= allowed


def test_who_reads_patient_data(stack: Document) -> None:
    """Objects of the data bucket: training, the pipeline, replication. Nobody else by a policy of ours."""
    readers = {
        path
        for path, statement in statements(stack)
        if statement["Effect"] == "Allow"
        and any(action in ("s3:GetObject", "s3:*", "s3:Get*") for action in statement["Action"])
        and any(re.search(r"-data/\*$", each) for each in _listed(statement["Resource"]))
    }
    assert readers == {"identity/training-policy", "identity/pipeline-policy"}
    for role in ("ci-plan", "ci-deploy", "auditor"):
        denied = [
            s for p, s in statements(stack) if p == f"identity/{role}-policy" and s["Sid"] == "NoPatientData"
        ]
        assert denied[0]["Effect"] == "Deny"
        assert any(each.endswith("-data/*") for each in denied[0]["Resource"])


@pytest.mark.parametrize(
    "action",
    [
        *("sagemaker:CreateModel", "sagemaker:CreateEndpointConfig", "sagemaker:CreateEndpoint"),
        *("sagemaker:UpdateEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities"),
        *("sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig", "sagemaker:DescribeModel"),
        *("sagemaker:ListTags", "sagemaker:AddTags", "sagemaker:ListModels", "sagemaker:ListEndpointConfigs"),
        *("sagemaker:DeleteEndpoint", "sagemaker:DeleteEndpointConfig", "sagemaker:DeleteModel"),
        *("sagemaker:InvokeEndpoint", "cloudwatch:GetMetricData", "logs:GetLogEvents"),
        *("logs:DescribeLogStreams", "application-autoscaling:RegisterScalableTarget"),
        "application-autoscaling:DeregisterScalableTarget",
        *("application-autoscaling:PutScalingPolicy", "application-autoscaling:DescribeScalableTargets"),
        *("application-autoscaling:DescribeScalingPolicies", "iam:PassRole", "iam:CreateServiceLinkedRole"),
    ],
)
def test_the_pipeline_role_may_do_what_a_rollout_does(stack: Document, action: str) -> None:
    allowed = [s for p, s in statements(stack) if p == "identity/pipeline-policy" and s["Effect"] == "Allow"]
    found = [s for s in allowed if any(fnmatch(action, pattern) for pattern in s["Action"])]
    assert found, action
    # IAM can't restrict lists to resources: a statement that names some allows nothing.
    if action in ("sagemaker:ListModels", "sagemaker:ListEndpointConfigs", "cloudwatch:GetMetricData"):
        assert any("*" in _listed(statement["Resource"]) for statement in found)


def test_a_machine_whose_disks_are_its_own_needs_no_key_and_every_other_ours(stack: Document) -> None:
    """SageMaker refuses a VolumeKmsKeyId for the first: a rule that wants one there forbids all GPUs."""
    denied = {
        s["Sid"]: s["Condition"]
        for p, s in statements(stack)
        if p == "identity/pipeline-policy" and s["Effect"] == "Deny"
    }
    key, types = "sagemaker:VolumeKmsKey", "sagemaker:InstanceTypes"
    assert denied["OnlyOurKeyForVolumes"]["Null"] == {key: "false"}
    assert "aws_kms_key" in denied["OnlyOurKeyForVolumes"]["StringNotEquals"][key]
    without = denied["OnlyWithKeyForVolumes"]
    assert without["Null"] == {key: "true"}
    free = without["ForAnyValue:StringNotEquals"][types]
    assert {"ml.g5.2xlarge", "ml.g6.2xlarge", "ml.p4d.24xlarge", "ml.p5.48xlarge"} <= set(free)
    assert not {"ml.m7i.2xlarge", "ml.m7i.8xlarge"} & set(free)


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_secrets_have_no_value_in_the_stack(stack: Document) -> None:
    assert "aws_secretsmanager_secret_version" not in stack["resource"]
    assert len(bodies(stack, "aws_secretsmanager_secret")) == 2


def test_gpu_quotas_ask_for_the_machines_of_the_settings(stack: Document) -> None:
    names = {body["quota_name"] for body in stack["data"]["aws_servicequotas_service_quota"].values()}
    assert names == {"ml.g6.2xlarge for spot training job usage", "ml.p4de.24xlarge for training job usage"}
    groups = bodies(stack, "aws_eks_node_group")
    spot = groups["kubernetes/gpu-l4-1"]
    assert (spot["capacity_type"], spot["instance_types"]) == ("SPOT", ["g6.2xlarge"])
    assert spot["scaling_config"] == {"desired_size": 0, "min_size": 0, "max_size": 4}


def test_every_resource_carries_the_labels(stack: Document) -> None:
    for provider in stack["provider"]["aws"]:
        (tags,) = provider["default_tags"]
        assert {"environment", "owner", "data-classification", "cost-centre"} <= set(tags["tags"])
        assert provider["allowed_account_ids"] == ["123456789012"]


def test_the_state_is_kept_encrypted_and_locked(stack: Document, stack_of: Callable[..., Document]) -> None:
    for document in (stack, stack_of("aws", "state")):
        (kind,) = document["terraform"]["backend"]
        backend = document["terraform"]["backend"][kind]
        assert (kind, backend["encrypt"], backend["use_lockfile"]) == ("s3", True, True)
        assert backend["bucket"] == "aws-example-123456789012-tfstate"


def test_options_that_are_off_leave_their_resources_out() -> None:
    settings = example("aws")
    plain = settings.model_copy(
        update={
            "compute": settings.compute.model_copy(update={"kubernetes": False, "notebooks": False}),
            "endpoints": (),
        }
    )
    document = synthesize(Deployment(plain), lambda sentence: None).document
    assert not [kind for kind in document["resource"] if "eks" in kind or kind == "helm_release"]
    assert "aws_sagemaker_domain" not in document["resource"]
    assert check_parity("aws", document) == ()


def test_a_forced_destroy_lifts_the_protection() -> None:
    deployment = replace(Deployment(example("aws")), protect=False)
    text = json.dumps(synthesize(deployment, lambda sentence: None).document)
    assert '"prevent_destroy": true' not in text
    assert '"deletion_protection": true' not in text


def test_each_resource_names_the_line_that_made_it(stack: Document) -> None:
    for named in stack["resource"].values():
        for body in named.values():
            assert re.fullmatch(r"(aws/\w+|workloads)\.py:\d+", body["//"]["metadata"]["source"])
