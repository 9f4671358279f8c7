"""The stack of one deployment on AWS: its concerns, wired."""

from cdktn import TerraformStack
from cdktn_provider_aws.provider import AwsProvider, AwsProviderDefaultTags
from constructs import Construct

from isocenter_infra.aws.audit import Audit, AuditArgs
from isocenter_infra.aws.compute import Compute, ComputeArgs
from isocenter_infra.aws.describe import provisioned
from isocenter_infra.aws.guard import Guard, GuardArgs
from isocenter_infra.aws.identity import Identity, IdentityArgs
from isocenter_infra.aws.keys import Keys, KeysArgs
from isocenter_infra.aws.kubernetes import Kubernetes, KubernetesArgs
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.network import Network, NetworkArgs
from isocenter_infra.aws.registry import Registry, RegistryArgs
from isocenter_infra.aws.secrets import Secrets, SecretsArgs
from isocenter_infra.aws.serving import Serving, ServingArgs
from isocenter_infra.aws.state import keep_state
from isocenter_infra.aws.storage import Storage, StorageArgs
from isocenter_infra.deployment import Deployment
from isocenter_infra.descriptor import add_descriptor


class AwsStack(TerraformStack):
    """Everything that one deployment provisions on AWS."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(scope, deployment.name)
        settings, names = deployment.settings, AwsNames.of(deployment)
        replica = self._providers(deployment, names)
        keys = Keys(self, "keys", KeysArgs(deployment, names, replica))
        storage = Storage(self, "storage", StorageArgs(deployment, names, keys, replica))
        audit = Audit(self, "audit", AuditArgs(deployment, names, keys, storage))
        network = Network(self, "network", NetworkArgs(deployment, names, keys))
        identity = Identity(
            self, "identity", IdentityArgs(deployment, names, keys, network, deployment.github)
        )
        Secrets(self, "secrets", SecretsArgs(deployment, names, keys))
        registry = Registry(self, "registry", RegistryArgs(deployment, names, keys))
        compute = Compute(self, "compute", ComputeArgs(deployment, names, keys, network, identity))
        Serving(self, "serving", ServingArgs(deployment, names, audit.topic))
        Guard(self, "guard", GuardArgs(deployment, names, keys, deployment.budget))
        if settings.compute.kubernetes:
            Kubernetes(self, "kubernetes", KubernetesArgs(deployment, names, keys, network))
        add_descriptor(
            self, deployment, provisioned(names, keys, audit, network, identity, registry, compute)
        )
        keep_state(self, deployment)

    def _providers(self, deployment: Deployment, names: AwsNames) -> AwsProvider:
        """The provider of the region, and the one returned, of the second region."""
        tags = [AwsProviderDefaultTags(tags=deployment.labels)]
        accounts = [names.account]
        AwsProvider(self, "aws", region=names.region, default_tags=tags, allowed_account_ids=accounts)
        return AwsProvider(
            self,
            "aws-replica",
            alias="replica",
            region=names.replica_region,
            default_tags=tags,
            allowed_account_ids=accounts,
        )
