"""GPU training on SageMaker: quotas for the sizes on offer, the group of models, optional notebooks."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_aws.data_aws_servicequotas_service_quota import DataAwsServicequotasServiceQuota
from cdktn_provider_aws.sagemaker_domain import (
    SagemakerDomain,
    SagemakerDomainDefaultUserSettings,
    SagemakerDomainDefaultUserSettingsSharingSettings,
    SagemakerDomainRetentionPolicy,
)
from cdktn_provider_aws.sagemaker_model_package_group import SagemakerModelPackageGroup
from cdktn_provider_aws.servicequotas_service_quota import ServicequotasServiceQuota
from constructs import Construct

from isocenter.clouds.offer import cloud_offer
from isocenter.targets.settings import GpuSettings
from isocenter_infra.aws.identity import Identity
from isocenter_infra.aws.keys import Keys
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.network import Network
from isocenter_infra.deployment import Deployment


@dataclass(frozen=True)
class ComputeArgs:
    """What the compute needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        keys: that encrypt it.
        network: that it runs in.
        identity: whose training role it runs as.
    """

    deployment: Deployment
    names: AwsNames
    keys: Keys
    network: Network
    identity: Identity


class Compute(Construct):
    """Quotas, model package group, and the Studio domain where notebooks are wanted."""

    def __init__(self, scope: Construct, id_: str, args: ComputeArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        for gpu in args.deployment.settings.compute.gpu:
            self._quota(gpu)
        self.models = SagemakerModelPackageGroup(
            self,
            "models",
            model_package_group_name=f"{args.names.prefix}-models",
            model_package_group_description="Mirror of Isocenter's own registry",
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
        )
        self.workspace = self._studio() if args.deployment.settings.compute.notebooks else None

    def _quota(self, gpu: GpuSettings) -> None:
        """Ask for as many machines as the settings allow; SageMaker's default is none."""
        machine = next(m.managed for m in cloud_offer("aws").machines(gpu.size) if m.gpus == gpu.per_node)
        usage = "spot training job usage" if gpu.spot else "training job usage"
        name = f"{gpu.size}-{gpu.per_node}{'-spot' if gpu.spot else ''}"
        known = DataAwsServicequotasServiceQuota(
            self, f"{name}-known", service_code="sagemaker", quota_name=f"{machine} for {usage}"
        )
        ServicequotasServiceQuota(
            self, name, service_code="sagemaker", quota_code=known.quota_code, value=gpu.max_nodes
        )

    def _studio(self) -> SagemakerDomain:
        args = self._args
        role = args.identity.roles["training"].arn
        return SagemakerDomain(
            self,
            "studio",
            domain_name=args.names.prefix,
            auth_mode="IAM",
            app_network_access_type="VpcOnly",
            vpc_id=args.network.vpc.id,
            subnet_ids=[subnet.id for subnet in args.network.subnets],
            kms_key_id=args.keys.data.arn,
            default_user_settings=SagemakerDomainDefaultUserSettings(
                execution_role=role,
                security_groups=[args.network.workloads.id],
                sharing_settings=SagemakerDomainDefaultUserSettingsSharingSettings(
                    notebook_output_option="Disabled"
                ),
            ),
            retention_policy=SagemakerDomainRetentionPolicy(home_efs_file_system="Retain"),
        )
