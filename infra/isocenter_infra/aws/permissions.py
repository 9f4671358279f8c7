"""What each role may do, and what none may."""

from collections.abc import Mapping, Sequence

from isocenter.clouds.offer import cloud_offer
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.policy_document import Statement

_READ = ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"]
_WRITE = ["s3:PutObject", "s3:AbortMultipartUpload"]
_USE_KEY = ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"]
_PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]


def training(names: AwsNames, data_key: str, image_key: str, vpc: str) -> tuple[Statement, ...]:
    """A training job: reads data, writes models and checkpoints."""
    data, models = names.bucket_arn("data"), names.bucket_arn("models")
    return (
        Statement("ReadData", _READ, [data, f"{data}/*", models, f"{models}/*"]),
        Statement("WriteModels", _WRITE, [f"{models}/*"]),
        Statement("UseKey", _USE_KEY, [data_key]),
        *_run(names, image_key, vpc, "training"),
    )


def serving(names: AwsNames, data_key: str, image_key: str, vpc: str) -> tuple[Statement, ...]:
    """An endpoint: reads models, writes what it captured."""
    data, models = names.bucket_arn("data"), names.bucket_arn("models")
    return (
        Statement("ReadModels", _READ, [models, f"{models}/*"]),
        Statement("WriteCapture", _WRITE, [f"{data}/capture/*"]),
        Statement("UseKey", _USE_KEY, [data_key]),
        *_run(names, image_key, vpc, "serving"),
    )


def _run(names: AwsNames, image_key: str, vpc: str, image: str) -> tuple[Statement, ...]:
    """What every container needs: its image, its log, its place in the network."""
    interfaces = [names.arn("ec2", f"{kind}/*") for kind in ("network-interface", "subnet", "security-group")]
    return (
        # Neither the login nor describing can be restricted to a resource.
        Statement("Login", ["ecr:GetAuthorizationToken"], ["*"]),
        Statement("Pull", _PULL, [names.arn("ecr", f"repository/{names.prefix}/{image}")]),
        Statement("ImageKey", ["kms:Decrypt"], [image_key]),
        Statement(
            "Log",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
            [names.arn("logs", "log-group:/aws/sagemaker/*")],
        ),
        Statement(
            "Measure",
            ["cloudwatch:PutMetricData"],
            ["*"],
            condition={"StringEquals": {"cloudwatch:namespace": ["/aws/sagemaker", "Isocenter"]}},
        ),
        Statement(
            "JoinNetwork",
            [
                "ec2:CreateNetworkInterface",
                "ec2:CreateNetworkInterfacePermission",
                "ec2:DeleteNetworkInterface",
            ],
            interfaces,
            condition={"ArnEqualsIfExists": {"ec2:Vpc": vpc}},
        ),
        Statement(
            "LookAtNetwork",
            [
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeVpcs",
                "ec2:DescribeDhcpOptions",
                "ec2:DescribeSubnets",
                "ec2:DescribeSecurityGroups",
            ],
            ["*"],
        ),
    )


_JOBS = (
    "sagemaker:CreateTrainingJob",
    "sagemaker:CreateProcessingJob",
    "sagemaker:CreateTransformJob",
    "sagemaker:CreateModel",
    "sagemaker:CreateEndpointConfig",
)
_CHANGE_JOBS = (
    *_JOBS,
    *("sagemaker:Describe*", "sagemaker:List*", "sagemaker:Stop*", "sagemaker:Update*", "sagemaker:AddTags"),
    *("sagemaker:CreateEndpoint", "sagemaker:CreateModelPackage", "sagemaker:CreateModelPackageGroup"),
    *("sagemaker:CreatePipeline", "sagemaker:StartPipelineExecution", "sagemaker:InvokeEndpoint"),
    *("sagemaker:DeleteEndpoint", "sagemaker:DeleteEndpointConfig", "sagemaker:DeleteModel"),
)
_JOB_KINDS = (
    *("training-job", "processing-job", "transform-job", "model", "model-package", "model-package-group"),
    *("endpoint", "endpoint-config", "pipeline"),
)


def pipeline(names: AwsNames, data_key: str, subnets: Sequence[str]) -> tuple[Statement, ...]:
    """The platform layer: starts isolated jobs and changes endpoints, and hands on two roles only."""
    jobs = [names.arn("sagemaker", f"{kind}/{names.prefix}-*") for kind in _JOB_KINDS]
    data, models = names.bucket_arn("data"), names.bucket_arn("models")
    return (
        Statement("Jobs", _CHANGE_JOBS, jobs),
        *isolation(data_key, subnets),
        Statement(
            "PassRoles",
            ["iam:PassRole"],
            [names.role_arn(role) for role in ("training", "serving")],
            condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
        Statement("Data", [*_READ, *_WRITE], [data, f"{data}/*", models, f"{models}/*"]),
        Statement("UseKey", _USE_KEY, [data_key]),
        Statement(
            "ReadLogs",
            ["logs:GetLogEvents", "logs:FilterLogEvents", "logs:DescribeLogStreams"],
            [names.arn("logs", "log-group:/aws/sagemaker/*")],
        ),
        *_endpoints(names),
    )


def _endpoints(names: AwsNames) -> tuple[Statement, ...]:
    """What a rollout needs beyond SageMaker's own calls.

    Application Auto Scaling makes the alarms of its policies as whoever calls it. What is scaled has an id of
    AWS's making: only its kind can be told. Source: Application Auto Scaling, identity-based policy examples.
    """
    scaling = "sagemaker.application-autoscaling.amazonaws.com"
    return (
        # They can't be restricted to a resource, or answer without one.
        Statement(
            "Look",
            [
                *("sagemaker:ListModels", "sagemaker:ListEndpointConfigs", "cloudwatch:GetMetricData"),
                "application-autoscaling:DescribeScalableTargets",
                "application-autoscaling:DescribeScalingPolicies",
                "cloudwatch:DescribeAlarms",
            ],
            ["*"],
        ),
        Statement(
            "Scale",
            [
                "application-autoscaling:RegisterScalableTarget",
                "application-autoscaling:DeregisterScalableTarget",
                "application-autoscaling:PutScalingPolicy",
            ],
            [names.arn("application-autoscaling", "scalable-target/*")],
            condition={
                "StringEquals": {
                    "application-autoscaling:service-namespace": "sagemaker",
                    "application-autoscaling:scalable-dimension": "sagemaker:variant:DesiredInstanceCount",
                }
            },
        ),
        Statement(
            "ScaleByAlarms",
            ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"],
            [names.arn("cloudwatch", f"alarm:TargetTracking-endpoint/{names.prefix}-*")],
            condition={"StringEquals": {"aws:CalledViaLast": "application-autoscaling.amazonaws.com"}},
        ),
        # Made once in an account, at the first endpoint that is scaled.
        Statement(
            "LetScalingAct",
            ["iam:CreateServiceLinkedRole"],
            [f"arn:aws:iam::{names.account}:role/aws-service-role/{scaling}/*"],
            condition={"StringEquals": {"iam:AWSServiceName": scaling}},
        ),
    )


def isolation(data_key: str, subnets: Sequence[str]) -> tuple[Statement, ...]:
    """No job or model outside of the private subnets, without our key, or with a way to the internet."""
    jobs = ["sagemaker:CreateTrainingJob", "sagemaker:CreateProcessingJob"]
    models, batches = [*jobs, "sagemaker:CreateModel"], [*jobs, "sagemaker:CreateTransformJob"]
    ours, never = {"StringNotEquals": data_key}, {"BoolIfExists": "false"}
    return (
        _unless("OnlyInNetwork", models, "VpcSubnets", {"ForAnyValue:StringNotEquals": list(subnets)}),
        _unless("OnlyWithNetwork", models, "VpcSubnets", {"Null": "true"}),
        _unless("OnlyIsolated", models, "NetworkIsolation", never),
        _unless("OnlyEncryptedTraffic", jobs, "InterContainerTrafficEncryption", never),
        *_volumes([*batches, "sagemaker:CreateEndpointConfig"], data_key),
        _unless("OnlyOurKeyForOutput", batches, "OutputKmsKey", ours),
    )


def _volumes(actions: Sequence[str], data_key: str) -> tuple[Statement, ...]:
    """No volume under another key, and none without ours where SageMaker takes one.

    It refuses a key for machines whose disks are their own, which their hardware encrypts: all with GPUs.
    Source: CreateTrainingJob, ResourceConfig.VolumeKmsKeyId.
    """
    key, types = "sagemaker:VolumeKmsKey", "sagemaker:InstanceTypes"
    machines = [machine for offer in cloud_offer("aws").gpu.values() for machine in offer.machines]
    own_disks = sorted(machine.managed for machine in machines if machine.local_storage)
    return (
        Statement(
            "OnlyOurKeyForVolumes",
            actions,
            ["*"],
            effect="Deny",
            condition={"Null": {key: "false"}, "StringNotEquals": {key: data_key}},
        ),
        Statement(
            "OnlyWithKeyForVolumes",
            actions,
            ["*"],
            effect="Deny",
            condition={"Null": {key: "true"}, "ForAnyValue:StringNotEquals": {types: own_disks}},
        ),
    )


def _unless(sid: str, actions: Sequence[str], key: str, test: Mapping[str, str | Sequence[str]]) -> Statement:
    condition = {operator: {f"sagemaker:{key}": value} for operator, value in test.items()}
    return Statement(sid, actions, ["*"], effect="Deny", condition=condition)


def ci_plan(names: AwsNames) -> tuple[Statement, ...]:
    """A workflow of a pull request: reads configuration and state; no patient data, no secrets."""
    state = names.bucket_arn("tfstate")
    private = [names.bucket_arn(purpose) for purpose in ("data", "models", "audit", "logs")]
    return (
        Statement("ReadState", ["s3:GetObject", "s3:ListBucket"], [state, f"{state}/*"]),
        Statement(
            "DecryptState",
            ["kms:Decrypt"],
            [names.arn("kms", "key/*")],
            condition={"StringEquals": {"kms:ResourceAliases": f"alias/{names.prefix}-tfstate"}},
        ),
        Statement("NoPatientData", ["s3:GetObject*"], [f"{arn}/*" for arn in private], effect="Deny"),
        Statement("NoSecrets", ["secretsmanager:GetSecretValue", "ssm:GetParameter*"], ["*"], effect="Deny"),
    )


_SERVICES = (
    *("cloudtrail", "cloudwatch", "logs", "sns", "guardduty", "config", "access-analyzer", "ecr", "signer"),
    *("sagemaker", "eks", "backup", "backup-storage", "budgets"),
    *("servicequotas", "secretsmanager", "kms"),
)
_NETWORK = ("Vpc*", "Subnet*", "RouteTable*", "SecurityGroup*", "FlowLogs*", "Tags", "LaunchTemplate*")
_CHANGE_NETWORK = (
    "ec2:Describe*",
    *(f"ec2:{verb}{what}" for verb in ("Create", "Delete") for what in _NETWORK),
    "ec2:ModifyVpcAttribute",
    "ec2:ModifyVpcEndpoint",
    "ec2:ModifySubnetAttribute",
    "ec2:AssociateRouteTable",
    "ec2:DisassociateRouteTable",
    "ec2:DeleteRoute",
    "ec2:AuthorizeSecurityGroup*",
    "ec2:RevokeSecurityGroup*",
)
_CHANGE_ROLES = (
    *("iam:Get*", "iam:List*", "iam:TagRole", "iam:TagPolicy", "iam:UpdateRole", "iam:DeleteRole"),
    *("iam:UpdateAssumeRolePolicy", "iam:DetachRolePolicy", "iam:DeleteRolePolicy", "iam:PassRole"),
    *("iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicyVersion"),
)


def ci_deploy(names: AwsNames) -> tuple[Statement, ...]:
    """The workflow that applies a reviewed plan: manages what this deployment owns, reads no patient data."""
    buckets = f"arn:aws:s3:::{names.bucket_prefix}-*"
    private = [f"{names.bucket_arn(purpose)}/*" for purpose in ("data", "models", "audit", "logs")]
    regions = {"StringEquals": {"aws:RequestedRegion": [names.region, names.replica_region, "us-east-1"]}}
    return (
        Statement("Manage", [f"{service}:*" for service in _SERVICES], ["*"], condition=regions),
        Statement("ManageNetwork", _CHANGE_NETWORK, ["*"], condition=regions),
        Statement("ManageBuckets", ["s3:*"], [buckets, f"{buckets}/*"]),
        Statement(
            "ManageAccountBlock", ["s3:PutAccountPublicAccessBlock", "s3:GetAccountPublicAccessBlock"], ["*"]
        ),
        *_manage_roles(names),
        Statement(
            "NoPatientData", ["s3:GetObject*", "s3:PutObject*", "s3:DeleteObject*"], private, effect="Deny"
        ),
        Statement("NoSecretValues", ["secretsmanager:GetSecretValue"], ["*"], effect="Deny"),
    )


def _manage_roles(names: AwsNames) -> tuple[Statement, ...]:
    """Roles and policies of this deployment, each new role under the boundary."""
    iam = f"arn:aws:iam::{names.account}"
    roles, policies = f"{iam}:role/{names.prefix}-*", f"{iam}:policy/{names.prefix}-*"
    bounded = {"StringEquals": {"iam:PermissionsBoundary": f"{iam}:policy/{names.prefix}-boundary"}}
    return (
        Statement("ManageRoles", _CHANGE_ROLES, [roles, policies]),
        Statement(
            "MakeBoundedRoles",
            ["iam:CreateRole", "iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"],
            [roles],
            condition=bounded,
        ),
        Statement(
            "ManageGithubTrust",
            ["iam:GetOpenIDConnectProvider", "iam:TagOpenIDConnectProvider"],
            [f"{iam}:oidc-provider/token.actions.githubusercontent.com"],
        ),
        Statement("LetServicesAct", ["iam:CreateServiceLinkedRole"], [f"{iam}:role/aws-service-role/*"]),
    )


def auditor(names: AwsNames, audit_key: str) -> tuple[Statement, ...]:
    """Reads configuration and audit logs; changes nothing, reads no patient data."""
    audit, logs = names.bucket_arn("audit"), names.bucket_arn("logs")
    private = [f"{names.bucket_arn(purpose)}/*" for purpose in ("data", "models")]
    return (
        Statement("ReadAudit", _READ, [audit, f"{audit}/*", logs, f"{logs}/*"]),
        Statement("DecryptAudit", ["kms:Decrypt"], [audit_key]),
        Statement("Look", ["cloudtrail:LookupEvents"], ["*"]),
        Statement(
            "ReadLogs",
            ["logs:GetLogEvents", "logs:FilterLogEvents", "logs:StartQuery", "logs:GetQueryResults"],
            [names.arn("logs", f"log-group:/isocenter/{names.prefix}/*")],
        ),
        Statement("NoPatientData", ["s3:GetObject*"], private, effect="Deny"),
    )


def boundary(names: AwsNames) -> tuple[Statement, ...]:
    """The most that any bounded role can have: all, less what would blind the audit or lose the keys."""
    audit = names.bucket_arn("audit")
    return (
        Statement("Otherwise", ["*"], ["*"]),
        Statement(
            "KeepTrail",
            ["cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "guardduty:DeleteDetector"],
            ["*"],
            effect="Deny",
        ),
        Statement(
            "KeepAudit", ["s3:DeleteObject*", "s3:BypassGovernanceRetention"], [f"{audit}/*"], effect="Deny"
        ),
        Statement("KeepKeys", ["kms:ScheduleKeyDeletion", "kms:DisableKey"], ["*"], effect="Deny"),
        Statement(
            "KeepNoUsers",
            [
                "iam:CreateUser",
                "iam:CreateAccessKey",
                "iam:CreateLoginProfile",
                "organizations:*",
                "account:*",
            ],
            ["*"],
            effect="Deny",
        ),
        Statement(
            "KeepBoundary",
            ["iam:DeleteRolePermissionsBoundary", "iam:CreatePolicyVersion", "iam:DeletePolicy"],
            [f"arn:aws:iam::{names.account}:policy/{names.prefix}-boundary", names.role_arn("*")],
            effect="Deny",
        ),
    )
