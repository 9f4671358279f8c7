"""EKS, for teams that outgrow or avoid SageMaker: private, GPU nodes from zero."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdktn import Fn, TerraformResourceLifecycle
from cdktn_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktn_provider_aws.eks_addon import EksAddon
from cdktn_provider_aws.eks_cluster import (
    EksCluster,
    EksClusterAccessConfig,
    EksClusterEncryptionConfig,
    EksClusterEncryptionConfigProvider,
    EksClusterKubernetesNetworkConfig,
    EksClusterVpcConfig,
)
from cdktn_provider_aws.eks_node_group import (
    EksNodeGroup,
    EksNodeGroupLaunchTemplate,
    EksNodeGroupScalingConfig,
    EksNodeGroupTaint,
    EksNodeGroupUpdateConfig,
)
from cdktn_provider_aws.iam_role import IamRole
from cdktn_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from cdktn_provider_aws.launch_template import (
    LaunchTemplate,
    LaunchTemplateBlockDeviceMappings,
    LaunchTemplateBlockDeviceMappingsEbs,
    LaunchTemplateMetadataOptions,
)
from cdktn_provider_helm.provider import HelmProvider, HelmProviderKubernetes, HelmProviderKubernetesExec
from constructs import Construct

from isocenter.clouds.offer import cloud_offer
from isocenter.targets.settings import GpuSettings
from isocenter_infra.aws.audit import LOG_DAYS
from isocenter_infra.aws.exclusive import only_policies
from isocenter_infra.aws.keys import Keys
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.network import Network
from isocenter_infra.aws.policy_document import Statement, policy_document
from isocenter_infra.deployment import Deployment
from isocenter_infra.workloads import install_workloads

_VERSION = "1.34"
_MANAGED = "arn:aws:iam::aws:policy"
_ADDONS = ("vpc-cni", "coredns", "kube-proxy", "eks-pod-identity-agent", "aws-ebs-csi-driver")
_SYSTEM_MACHINE = "m7i.large"


@dataclass(frozen=True)
class KubernetesArgs:
    """What the cluster needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        keys: that encrypt it.
        network: that it runs in.
    """

    deployment: Deployment
    names: AwsNames
    keys: Keys
    network: Network


class Kubernetes(Construct):
    """The cluster, a small group of system nodes, and one group of nodes a GPU size."""

    def __init__(self, scope: Construct, id_: str, args: KubernetesArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.cluster = self._cluster()
        self._node_role = self._role(
            "nodes",
            "ec2",
            ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly"],
        )
        system = self._nodes("system", _SYSTEM_MACHINE, at_least=2, at_most=4)
        for gpu in args.deployment.settings.compute.gpu:
            self._gpu_nodes(gpu)
        for name in _ADDONS:
            EksAddon(self, name, cluster_name=self.cluster.name, addon_name=name, depends_on=[system])
        self._install()

    def _cluster(self) -> EksCluster:
        args = self._args
        name = args.names.prefix
        logs = CloudwatchLogGroup(
            self,
            "logs",
            name=f"/aws/eks/{name}/cluster",
            kms_key_id=args.keys.audit.arn,
            retention_in_days=LOG_DAYS[args.deployment.settings.retention.audit_years],
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
        )
        return EksCluster(
            self,
            "cluster",
            name=name,
            version=_VERSION,
            role_arn=self._role("control", "eks", ["AmazonEKSClusterPolicy"]).arn,
            enabled_cluster_log_types=["api", "audit", "authenticator", "controllerManager", "scheduler"],
            vpc_config=EksClusterVpcConfig(
                subnet_ids=[subnet.id for subnet in args.network.subnets],
                endpoint_private_access=True,
                endpoint_public_access=False,
            ),
            encryption_config=EksClusterEncryptionConfig(
                provider=EksClusterEncryptionConfigProvider(key_arn=args.keys.secrets.arn),
                resources=["secrets"],
            ),
            kubernetes_network_config=EksClusterKubernetesNetworkConfig(
                service_ipv4_cidr=str(args.deployment.settings.network.kubernetes_services)
            ),
            access_config=EksClusterAccessConfig(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=False
            ),
            deletion_protection=args.deployment.protect,
            depends_on=[logs],
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
        )

    def _role(self, name: str, service: str, policies: Sequence[str]) -> IamRole:
        trust = Statement("Assume", ["sts:AssumeRole"], principals={"Service": f"{service}.amazonaws.com"})
        role = IamRole(
            self,
            f"{name}-role",
            name=f"{self._args.names.prefix}-eks-{name}",
            assume_role_policy=policy_document(trust),
        )
        attached = [
            IamRolePolicyAttachment(
                self,
                f"{name}-{policy.lower().replace('_', '-')}",
                role=role.name,
                policy_arn=f"{_MANAGED}/{policy}",
            )
            for policy in policies
        ]
        only_policies(self, role, attached=attached)
        return role

    def _gpu_nodes(self, gpu: GpuSettings) -> None:
        machine = next(m.node for m in cloud_offer("aws").machines(gpu.size) if m.gpus == gpu.per_node)
        name = f"gpu-{gpu.size}-{gpu.per_node}"
        self._nodes(name, machine, at_least=0, at_most=max(1, gpu.max_nodes), gpu=gpu)

    def _nodes(
        self, name: str, machine: str, *, at_least: int, at_most: int, gpu: GpuSettings | None = None
    ) -> EksNodeGroup:
        template = self._template(name)
        return EksNodeGroup(
            self,
            name,
            cluster_name=self.cluster.name,
            node_group_name=name,
            node_role_arn=self._node_role.arn,
            subnet_ids=[subnet.id for subnet in self._args.network.subnets],
            instance_types=[machine],
            ami_type="AL2023_x86_64_NVIDIA" if gpu else "AL2023_x86_64_STANDARD",
            capacity_type="SPOT" if gpu and gpu.spot else "ON_DEMAND",
            launch_template=EksNodeGroupLaunchTemplate(
                id=template.id, version=Fn.tostring(template.latest_version)
            ),
            scaling_config=EksNodeGroupScalingConfig(
                desired_size=at_least, min_size=at_least, max_size=at_most
            ),
            update_config=EksNodeGroupUpdateConfig(max_unavailable=1),
            labels={"isocenter/gpu": gpu.size} if gpu else {"isocenter/pool": "system"},
            taint=[EksNodeGroupTaint(key="nvidia.com/gpu", value="present", effect="NO_SCHEDULE")]
            if gpu
            else None,
            # The autoscaler moves it.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["scaling_config[0].desired_size"]),
        )

    def _template(self, name: str) -> LaunchTemplate:
        disk = LaunchTemplateBlockDeviceMappingsEbs(
            encrypted="true", kms_key_id=self._args.keys.data.arn, volume_size=200, volume_type="gp3"
        )
        return LaunchTemplate(
            self,
            f"{name}-template",
            name=f"{self._args.names.prefix}-{name}",
            # Pods can't reach the node's own credentials: one hop, and a session token for each request.
            metadata_options=LaunchTemplateMetadataOptions(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            block_device_mappings=[LaunchTemplateBlockDeviceMappings(device_name="/dev/xvda", ebs=disk)],
        )

    def _install(self) -> None:
        login = HelmProviderKubernetesExec(
            api_version="client.authentication.k8s.io/v1beta1",
            command="aws",
            args=["eks", "get-token", "--cluster-name", self.cluster.name],
        )
        authority = Fn.base64decode(self.cluster.certificate_authority.get(0).data)
        connection = HelmProviderKubernetes(
            host=self.cluster.endpoint, cluster_ca_certificate=authority, exec=login
        )
        HelmProvider(self, "helm", kubernetes=connection)
        install_workloads(self, device_plugin=True, depends_on=[self.cluster])
