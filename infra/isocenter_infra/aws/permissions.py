"""What each role may do, and what none may."""

from collections.abc import Sequence

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


_JOBS = [
    "sagemaker:CreateTrainingJob",
    "sagemaker:CreateProcessingJob",
    "sagemaker:CreateTransformJob",
    "sagemaker:CreateModel",
    "sagemaker:CreateEndpointConfig",
]


def pipeline(names: AwsNames, data_key: str, subnets: Sequence[str]) -> tuple[Statement, ...]:
    """The platform layer: starts isolated jobs and changes endpoints, and hands on two roles only."""
    jobs = [
        names.arn("sagemaker", f"{kind}/{names.prefix}-*")
        for kind in (
            "training-job",
            "processing-job",
            "transform-job",
            "model",
            "model-package",
            "model-package-group",
            "endpoint",
            "endpoint-config",
            "pipeline",
        )
    ]
    data, models = names.bucket_arn("data"), names.bucket_arn("models")
    passed = [names.role_arn(role) for role in ("training", "serving")]
    return (
        Statement(
            "Jobs",
            [
                *_JOBS,
                "sagemaker:Describe*",
                "sagemaker:List*",
                "sagemaker:Stop*",
                "sagemaker:Update*",
                "sagemaker:AddTags",
                "sagemaker:CreateEndpoint",
                "sagemaker:CreateModelPackage",
                "sagemaker:CreateModelPackageGroup",
                "sagemaker:CreatePipeline",
                "sagemaker:StartPipelineExecution",
                "sagemaker:InvokeEndpoint",
                "sagemaker:DeleteEndpoint",
                "sagemaker:DeleteEndpointConfig",
                "sagemaker:DeleteModel",
            ],
            jobs,
        ),
        *isolation(data_key, subnets),
        Statement(
            "PassRoles",
            ["iam:PassRole"],
            passed,
            condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
        Statement("Data", [*_READ, *_WRITE], [data, f"{data}/*", models, f"{models}/*"]),
        Statement("UseKey", _USE_KEY, [data_key]),
        Statement(
            "ReadLogs",
            ["logs:GetLogEvents", "logs:FilterLogEvents", "logs:DescribeLogStreams"],
            [names.arn("logs", "log-group:/aws/sagemaker/*")],
        ),
    )


def isolation(data_key: str, subnets: Sequence[str]) -> tuple[Statement, ...]:
    """No job or model outside of the private subnets, without our key, or with a way to the internet."""
    jobs = ["sagemaker:CreateTrainingJob", "sagemaker:CreateProcessingJob"]
    return (
        Statement(
            "OnlyInNetwork",
            [*jobs, "sagemaker:CreateModel"],
            ["*"],
            effect="Deny",
            condition={"ForAnyValue:StringNotEquals": {"sagemaker:VpcSubnets": list(subnets)}},
        ),
        Statement(
            "OnlyWithNetwork",
            [*jobs, "sagemaker:CreateModel"],
            ["*"],
            effect="Deny",
            condition={"Null": {"sagemaker:VpcSubnets": "true"}},
        ),
        Statement(
            "OnlyIsolated",
            [*jobs, "sagemaker:CreateModel"],
            ["*"],
            effect="Deny",
            condition={"BoolIfExists": {"sagemaker:NetworkIsolation": "false"}},
        ),
        Statement(
            "OnlyEncryptedTraffic",
            jobs,
            ["*"],
            effect="Deny",
            condition={"BoolIfExists": {"sagemaker:InterContainerTrafficEncryption": "false"}},
        ),
        Statement(
            "OnlyOurKeyForVolumes",
            [*jobs, "sagemaker:CreateEndpointConfig", "sagemaker:CreateTransformJob"],
            ["*"],
            effect="Deny",
            condition={"StringNotEquals": {"sagemaker:VolumeKmsKey": data_key}},
        ),
        Statement(
            "OnlyOurKeyForOutput",
            [*jobs, "sagemaker:CreateTransformJob"],
            ["*"],
            effect="Deny",
            condition={"StringNotEquals": {"sagemaker:OutputKmsKey": data_key}},
        ),
    )


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


def ci_deploy(names: AwsNames) -> tuple[Statement, ...]:
    """The workflow that applies a reviewed plan: manages what this deployment owns, reads no patient data."""
    prefix, account = names.prefix, names.account
    buckets = f"arn:aws:s3:::{names.bucket_prefix}-*"
    private = [f"{names.bucket_arn(purpose)}/*" for purpose in ("data", "models", "audit", "logs")]
    state = names.bucket_arn("tfstate")
    regional = {"StringEquals": {"aws:RequestedRegion": [names.region, names.replica_region, "us-east-1"]}}
    services = [
        *("cloudtrail", "cloudwatch", "logs", "sns", "guardduty", "config", "access-analyzer"),
        *("ecr", "signer", "sagemaker", "application-autoscaling", "eks", "backup", "backup-storage"),
        *("budgets", "servicequotas", "secretsmanager", "kms"),
    ]
    network = ["Vpc*", "Subnet*", "RouteTable*", "SecurityGroup*", "FlowLogs*", "Tags", "LaunchTemplate*"]
    return (
        Statement("Manage", [f"{service}:*" for service in services], ["*"], condition=regional),
        Statement(
            "ManageNetwork",
            [
                "ec2:Describe*",
                *(f"ec2:{verb}{what}" for verb in ("Create", "Delete") for what in network),
                "ec2:ModifyVpcAttribute",
                "ec2:ModifyVpcEndpoint",
                "ec2:ModifySubnetAttribute",
                "ec2:AssociateRouteTable",
                "ec2:DisassociateRouteTable",
                "ec2:AuthorizeSecurityGroup*",
                "ec2:RevokeSecurityGroup*",
            ],
            ["*"],
            condition=regional,
        ),
        Statement("ManageBuckets", ["s3:*"], [buckets, f"{buckets}/*"]),
        Statement(
            "ManageAccountBlock", ["s3:PutAccountPublicAccessBlock", "s3:GetAccountPublicAccessBlock"], ["*"]
        ),
        Statement(
            "ManageRoles",
            [
                "iam:Get*",
                "iam:List*",
                "iam:TagRole",
                "iam:TagPolicy",
                "iam:UpdateRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:DeleteRole",
                "iam:DetachRolePolicy",
                "iam:DeleteRolePolicy",
                "iam:CreatePolicy",
                "iam:CreatePolicyVersion",
                "iam:DeletePolicyVersion",
                "iam:PassRole",
            ],
            [f"arn:aws:iam::{account}:role/{prefix}-*", f"arn:aws:iam::{account}:policy/{prefix}-*"],
        ),
        Statement(
            "MakeBoundedRoles",
            ["iam:CreateRole", "iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"],
            [f"arn:aws:iam::{account}:role/{prefix}-*"],
            condition={
                "StringEquals": {
                    "iam:PermissionsBoundary": f"arn:aws:iam::{account}:policy/{prefix}-boundary"
                }
            },
        ),
        Statement(
            "State",
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"],
            [state, f"{state}/*"],
        ),
        Statement(
            "ManageGithubTrust",
            ["iam:GetOpenIDConnectProvider", "iam:TagOpenIDConnectProvider"],
            [f"arn:aws:iam::{account}:oidc-provider/token.actions.githubusercontent.com"],
        ),
        Statement(
            "LetServicesAct",
            ["iam:CreateServiceLinkedRole"],
            [f"arn:aws:iam::{account}:role/aws-service-role/*"],
        ),
        Statement(
            "NoPatientData", ["s3:GetObject*", "s3:PutObject*", "s3:DeleteObject*"], private, effect="Deny"
        ),
        Statement("NoSecretValues", ["secretsmanager:GetSecretValue"], ["*"], effect="Deny"),
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
