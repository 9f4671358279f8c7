"""Where Terraform's state lies: a secret in a namespace of its own, locked by a lease."""

from cdktn import LocalBackend, TerraformStack
from cdktn_provider_kubernetes.provider import KubernetesProvider
from cdktn_provider_kubernetes.resource_quota_v1 import (
    ResourceQuotaV1,
    ResourceQuotaV1Metadata,
    ResourceQuotaV1Spec,
)
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.onprem.names import OnpremNames, onprem_settings
from isocenter_infra.onprem.namespace import Namespace, NamespaceArgs
from isocenter_infra.onprem.network import deny_all


def keep_state(stack: TerraformStack, deployment: Deployment) -> None:
    """Make ``stack`` keep its state in the cluster, or beside it before there is a place."""
    if not deployment.remote_state:
        LocalBackend(stack, path="terraform.tfstate")
        return
    names = OnpremNames.of(deployment)
    # cdktn has no class for this backend. Terraform takes a lease while it writes.
    backend = {
        "secret_suffix": stack.node.id,
        "namespace": names.state_namespace,
        "config_context": onprem_settings(deployment).context,
        "labels": names.labels,
    }
    stack.add_override("terraform.backend.kubernetes", backend)
    # Else cdktn writes its default, with the path of this machine.
    stack.add_override("terraform.backend.local", None)


class OnpremState(TerraformStack):
    """The namespace of the state. Nothing can run in it, so nothing can mount the state."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(scope, f"{deployment.name}-state")
        names = OnpremNames.of(deployment)
        KubernetesProvider(self, "kubernetes", config_context=onprem_settings(deployment).context)
        namespace = Namespace(self, "state", NamespaceArgs(deployment, names, names.state_namespace))
        deny_all(self, namespace)
        ResourceQuotaV1(
            self,
            "no-pods",
            metadata=ResourceQuotaV1Metadata(**namespace.metadata("no-pods")),
            spec=ResourceQuotaV1Spec(hard={"pods": "0", "services": "0", "persistentvolumeclaims": "0"}),
        )
        keep_state(self, deployment)
