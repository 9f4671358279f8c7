"""Single changes to the golden Submissions, each of which breaks one rule for jobs."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from policies.case import GONE

_TAGGED = "registry.example/training:1.0"
_POOL = "customJob.jobSpec.workerPoolSpecs.0"
_JOB = "without_trainer.job.spec"
_POD = f"{_JOB}.template.spec"
_NODE = f"{_POD}.containers.0"
_SET = "with_trainer.support.spec.template.spec.replicatedJobs.0.template.spec"
_SET_POD = f"{_SET}.template.spec"
_TRAINER = "with_trainer.job.spec.trainer"
_SIDECAR = {
    "name": "beside",
    "image": "registry.example/x@sha256:" + "0" * 64,
    "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}


class JobCase(NamedTuple):
    """Backend, rule, and what of the request is changed to what."""

    backend: str
    rule: str
    path: str
    value: Any


def _list(rule: str, changes: Mapping[str, tuple[tuple[str, Any], ...]]) -> Iterator[JobCase]:
    for backend, each in changes.items():
        for path, value in each:
            yield JobCase(backend, rule, path, value)


CASES = (
    *_list(
        "ISO_JOB_001",
        {
            "sagemaker": (
                ("AlgorithmSpecification.TrainingImage", _TAGGED),
                ("AlgorithmSpecification.TrainingImage", GONE),
            ),
            "vertex": ((f"{_POOL}.containerSpec.imageUri", _TAGGED), (f"{_POOL}.containerSpec", {})),
            "azureml": (
                ("job.environment.image", _TAGGED),
                ("job.environment", "azureml:training@latest"),
            ),
            "kubernetes": (
                (f"{_NODE}.image", _TAGGED),
                (f"{_NODE}.image", GONE),
                (f"{_TRAINER}.image", _TAGGED),
                (f"{_POD}.initContainers", [{**_SIDECAR, "image": _TAGGED}]),
            ),
        },
    ),
    *_list(
        "ISO_JOB_002",
        {
            "sagemaker": (
                ("OutputDataConfig.KmsKeyId", GONE),
                ("OutputDataConfig.KmsKeyId", "alias/aws/s3"),
                ("OutputDataConfig.KmsKeyId", "arn:aws:kms:eu-central-1:123456789012:key/another"),
                # A machine without disks of its own; the golden one has some.
                ("ResourceConfig.InstanceType", "ml.m5.4xlarge"),
                ("ResourceConfig.InstanceGroups", [{"InstanceType": "ml.m5.4xlarge", "InstanceCount": 1}]),
            ),
            "vertex": (
                ("customJob.encryptionSpec", GONE),
                (
                    "customJob.encryptionSpec.kmsKeyName",
                    "projects/other/locations/us/keyRings/k/cryptoKeys/k",
                ),
            ),
            "azureml": (
                ("workspace.must_have.customer_managed_key", GONE),
                ("workspace.must_have.customer_managed_key", "https://other.vault.azure.net/keys/data"),
                ("workspace.must_have.customer_managed_key", "https://prod.vault.azure.net/keys/dat"),
            ),
        },
    ),
    *_list(
        "ISO_JOB_003",
        {
            "sagemaker": (
                ("VpcConfig", GONE),
                ("VpcConfig.Subnets", []),
                ("VpcConfig.SecurityGroupIds", GONE),
                ("VpcConfig.Subnets", ["subnet-1", "subnet-of-another"]),
                ("VpcConfig.SecurityGroupIds", ["sg-default"]),
            ),
            "vertex": (
                ("customJob.jobSpec.network", GONE),
                ("customJob.jobSpec.network", "projects/123456789012/global/networks/default"),
                ("customJob.jobSpec.pscInterfaceConfig", {"networkAttachment": "projects/other"}),
            ),
            "azureml": (
                ("workspace.must_have.public_network_access", "Enabled"),
                ("workspace.must_have.public_network_access", GONE),
            ),
            "kubernetes": (
                ("without_trainer.support.spec.type", "LoadBalancer"),
                ("without_trainer.support.spec.externalIPs", ["203.0.113.1"]),
                (f"{_NODE}.ports", [{"containerPort": 29500, "hostPort": 29500}]),
            ),
        },
    ),
    *_list(
        "ISO_JOB_004",
        {
            "sagemaker": (("EnableNetworkIsolation", False), ("EnableNetworkIsolation", GONE)),
            "azureml": (
                ("workspace.must_have.managed_network", "AllowInternetOutbound"),
                ("workspace.must_have.managed_network", GONE),
            ),
        },
    ),
    *_list(
        "ISO_JOB_005",
        {
            "sagemaker": (("RemoteDebugConfig", {"EnableRemoteDebug": True}),),
            "vertex": (
                ("customJob.jobSpec.enableWebAccess", True),
                ("customJob.jobSpec.enableDashboardAccess", True),
            ),
            "azureml": (("job.services", {"shell": {"type": "ssh"}}),),
            "kubernetes": ((f"{_NODE}.stdin", True), (f"{_SET_POD}.containers.0.tty", True)),
        },
    ),
    *_list(
        "ISO_JOB_006",
        {
            "sagemaker": (
                ("RoleArn", GONE),
                ("RoleArn", "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole-1"),
                ("RoleArn", "arn:aws:iam::123456789012:role/administrator"),
            ),
            "vertex": (
                ("customJob.jobSpec.serviceAccount", GONE),
                ("customJob.jobSpec.serviceAccount", "123456789012-compute@developer.gserviceaccount.com"),
                ("customJob.jobSpec.serviceAccount", "pipeline@hospital.iam.gserviceaccount.com"),
            ),
            "azureml": (
                ("job.identity", GONE),
                ("job.identity.type", "user_identity"),
                ("job.identity.client_id", "00000000-0000-0000-0000-000000000000"),
            ),
            "kubernetes": (
                (f"{_POD}.serviceAccountName", GONE),
                (f"{_POD}.serviceAccountName", "default"),
                (f"{_SET_POD}.serviceAccountName", "pipeline"),
            ),
        },
    ),
    *_list(
        "ISO_JOB_007",
        {
            "sagemaker": (
                ("StoppingCondition", GONE),
                ("StoppingCondition.MaxRuntimeInSeconds", 28 * 86_400),
                ("StoppingCondition.MaxRuntimeInSeconds", 0),
            ),
            "vertex": (
                ("customJob.jobSpec.scheduling.timeout", GONE),
                ("customJob.jobSpec.scheduling.timeout", "2419200s"),
                ("customJob.jobSpec.scheduling.timeout", "for ever"),
            ),
            "azureml": (("job.limits", GONE), ("job.limits.timeout", 2_419_200)),
            "kubernetes": (
                (f"{_JOB}.activeDeadlineSeconds", GONE),
                (f"{_JOB}.activeDeadlineSeconds", 2_419_200),
                (f"{_SET}.activeDeadlineSeconds", GONE),
            ),
        },
    ),
    *_list(
        "ISO_JOB_008",
        {
            "sagemaker": (
                ("Tags", GONE),
                ("Tags.0.Value", ""),
                ("Tags.2.Key", "run"),
                ("Tags.3.Key", "model-name"),
                ("Tags.4", {"Key": "Owner", "Value": "imaging"}),
            ),
            "vertex": (
                ("customJob.labels", GONE),
                ("customJob.labels.data-classification", GONE),
                ("customJob.labels.owner", ""),
            ),
            "azureml": (("job.tags", GONE), ("job.tags.isocenter-run", GONE), ("job.tags.model", GONE)),
            "kubernetes": (
                ("without_trainer.job.metadata.labels", GONE),
                (f"{_JOB}.template.metadata.labels.owner", GONE),
                (f"{_SET}.template.metadata.labels.data-classification", GONE),
                ("with_trainer.job.metadata.labels.model", GONE),
            ),
        },
    ),
    *_list(
        "ISO_JOB_009",
        {
            "sagemaker": (
                ("EnableInterContainerTrafficEncryption", False),
                ("EnableInterContainerTrafficEncryption", GONE),
            ),
        },
    ),
    *_list(
        "ISO_JOB_010",
        {
            "sagemaker": (
                ("OutputDataConfig.S3OutputPath", "s3://elsewhere/output"),
                ("OutputDataConfig.S3OutputPath", "s3://prod-models-copy/output"),
                ("CheckpointConfig.S3Uri", "s3://prod-audit/checkpoints"),
                ("InputDataConfig.0.DataSource.S3DataSource.S3Uri", "s3://prod-database/datasets/x/"),
                ("InputDataConfig.0.DataSource", {"FileSystemDataSource": {"FileSystemId": "fs-1"}}),
                ("InputDataConfig.0.DataSource.S3DataSource.S3Uri", "/datasets/x/"),
                ("OutputDataConfig.S3OutputPath", "S3://elsewhere/output"),
                ("HyperParameters.parameters", '{"logs": "s3://elsewhere/logs"}'),
                ("Environment.REPORTS", "https://elsewhere.s3.eu-central-1.amazonaws.com/x"),
            ),
            "vertex": (
                ("customJob.jobSpec.baseOutputDirectory.outputUriPrefix", "gs://elsewhere/runs"),
                (f"{_POOL}.containerSpec.args.6", "dataset=gs://elsewhere/datasets/x"),
                (f"{_POOL}.nfsMounts", [{"server": "10.0.0.1", "path": "/x", "mountPoint": "x"}]),
            ),
            "azureml": (
                ("job.outputs.model.path", "azureml://datastores/workspaceblobstore/paths/runs/model"),
                ("job.outputs.model.path", "azureml://datastores/isocenter_models/paths/../audit"),
                ("job.inputs.dataset.path", "abfss://data@other.dfs.core.windows.net/datasets/x"),
                ("job.inputs.dataset.path", "https://other.blob.core.windows.net/data/x"),
                ("job.inputs.dataset", "azureml:some-data@latest"),
            ),
            "kubernetes": (
                (f"{_NODE}.env.14.value", "s3://elsewhere/runs/x/model"),
                (f"{_POD}.volumes.0", {"name": "scratch", "nfs": {"server": "10.0.0.1", "path": "/x"}}),
                (f"{_POD}.volumes.0", {"name": "scratch", "persistentVolumeClaim": {"claimName": "other"}}),
                ("outputs.model", "s3://elsewhere/runs/x/model"),
            ),
        },
    ),
    *_list(
        "ISO_JOB_011",
        {
            "vertex": (
                ("parent", "projects/hospital/locations/us-central1"),
                ("parent", "projects/other/locations/europe-west4"),
            ),
            "azureml": (
                ("workspace.name", "other"),
                ("job.compute", "azureml:cluster-of-another"),
                ("workspace.subscription", "00000000-0000-0000-0000-000000000000"),
                ("workspace.resource_group", GONE),
            ),
            "kubernetes": (
                ("namespace", "default"),
                ("without_trainer.job.metadata.namespace", "kube-system"),
            ),
        },
    ),
    *_list(
        "ISO_JOB_012",
        {
            "sagemaker": (("CheckpointConfig", GONE),),
            "vertex": (("customJob.jobSpec.baseOutputDirectory", GONE),),
            "azureml": (
                ("job.outputs.checkpoints", GONE),
                ("job.outputs.checkpoints.mode", "upload"),
            ),
            "kubernetes": (
                (f"{_NODE}.env.12", {"name": "ISOCENTER_CHECKPOINT_DIR", "value": "/tmp/checkpoints"}),
                (f"{_SET_POD}.containers.0.env", []),
            ),
        },
    ),
    *_list(
        "ISO_JOB_013",
        {
            "sagemaker": (
                ("Environment.DATABASE_PASSWORD", "open sesame"),
                ("Environment.TRACKING", "https://user:sesame@tracking.example"),
                ("HyperParameters.parameters", '{"key": "AKIAABCDEFGHIJKLMNOP"}'),
            ),
            "vertex": (
                (f"{_POOL}.containerSpec.env", [{"name": "HF_TOKEN", "value": "sesame"}]),
                (f"{_POOL}.containerSpec.args.4", "-----BEGIN RSA PRIVATE KEY-----"),
            ),
            "azureml": (
                ("job.environment_variables.API_KEY", "sesame"),
                ("job.command", "train --store 'AccountKey=c2VzYW1l;'"),
            ),
            "kubernetes": (
                (f"{_NODE}.env.3", {"name": "AWS_SECRET_ACCESS_KEY", "value": "sesame"}),
                (f"{_SET_POD}.containers.0.env.4", {"name": "X", "value": "ghp_" + "a" * 36}),
            ),
        },
    ),
    *_list(
        "ISO_JOB_014",
        {
            "kubernetes": (
                (f"{_POD}.hostNetwork", True),
                (f"{_SET_POD}.hostNetwork", True),
                (f"{_POD}.hostPID", True),
                (f"{_POD}.hostIPC", True),
                (f"{_POD}.volumes.0", {"name": "scratch", "hostPath": {"path": "/"}}),
                (f"{_NODE}.securityContext.privileged", True),
                (f"{_NODE}.securityContext.allowPrivilegeEscalation", GONE),
                (f"{_NODE}.securityContext.capabilities", GONE),
                (f"{_NODE}.securityContext.procMount", "Unmasked"),
                (f"{_NODE}.securityContext.capabilities.add", ["SYS_ADMIN"]),
                (f"{_POD}.initContainers", [{**_SIDECAR, "securityContext": {}}]),
            ),
        },
    ),
    *_list(
        "ISO_JOB_015",
        {
            "kubernetes": (
                (f"{_POD}.securityContext.runAsNonRoot", GONE),
                (f"{_SET_POD}.securityContext.runAsNonRoot", False),
                (f"{_POD}.securityContext.runAsUser", 0),
                (f"{_NODE}.securityContext.runAsNonRoot", False),
                (f"{_NODE}.securityContext.runAsUser", 0),
            ),
        },
    ),
    *_list(
        "ISO_JOB_016",
        {
            "kubernetes": (
                (f"{_POD}.securityContext.seccompProfile", GONE),
                (f"{_SET_POD}.securityContext.seccompProfile.type", "Unconfined"),
                (f"{_NODE}.securityContext.seccompProfile", {"type": "Unconfined"}),
            ),
        },
    ),
    *_list(
        "ISO_JOB_017",
        {
            "kubernetes": (
                (f"{_NODE}.resources", GONE),
                (f"{_NODE}.resources.limits.memory", GONE),
                (f"{_SET_POD}.containers.0.resources.limits.cpu", GONE),
            ),
        },
    ),
    *_list(
        "ISO_JOB_018",
        {
            "kubernetes": (
                (f"{_POD}.automountServiceAccountToken", GONE),
                (f"{_SET_POD}.automountServiceAccountToken", True),
            ),
        },
    ),
    *_list(
        "ISO_JOB_019",
        {
            "kubernetes": (
                ("with_trainer.job.spec.runtimeRef.name", "runtime-of-another"),
                ("with_trainer.job.spec.runtimeRef.kind", "ClusterTrainingRuntime"),
                (
                    "with_trainer.job.spec.podTemplateOverrides",
                    [{"spec": {"serviceAccountName": "administrator"}}],
                ),
            ),
        },
    ),
)

# What looks like a breach and is none: settings that a deployment may well have.
ALLOWED = (
    ("sagemaker", "Environment.TOKENIZERS_PARALLELISM", "false"),
    ("sagemaker", "Environment.MAX_TOKEN", "512"),
    ("sagemaker", "Environment.AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token"),
    ("sagemaker", "ResourceConfig.InstanceCount", 1),
    ("vertex", "customJob.jobSpec.scheduling.timeout", "604800s"),
    ("azureml", "job.inputs.dataset.path", "abfss://data@proddata.dfs.core.windows.net/datasets/x"),
    ("azureml", "job.limits.timeout", 604_800),
    (
        "kubernetes",
        f"{_POD}.volumes.0",
        {"name": "datasets", "persistentVolumeClaim": {"claimName": "datasets", "readOnly": True}},
    ),
    ("kubernetes", f"{_POD}.initContainers", [_SIDECAR]),
)
