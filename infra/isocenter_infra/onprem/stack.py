"""The stack of one deployment in a hospital's own Kubernetes: its concerns, wired."""

from cdktn import TerraformStack
from cdktn_provider_kubernetes.provider import KubernetesProvider
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.descriptor import add_descriptor
from isocenter_infra.onprem.admission import Admission, AdmissionArgs
from isocenter_infra.onprem.describe import provisioned
from isocenter_infra.onprem.identity import Identity, IdentityArgs
from isocenter_infra.onprem.names import OnpremNames, onprem_settings
from isocenter_infra.onprem.namespace import Namespace, NamespaceArgs
from isocenter_infra.onprem.network import Network, NetworkArgs
from isocenter_infra.onprem.quotas import Quotas, QuotasArgs
from isocenter_infra.onprem.scheduling import Scheduling, SchedulingArgs
from isocenter_infra.onprem.state import keep_state
from isocenter_infra.onprem.storage import Storage, StorageArgs


class OnpremStack(TerraformStack):
    """Everything that one deployment provisions in a hospital's Kubernetes."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(scope, deployment.name)
        names = OnpremNames.of(deployment)
        # The kubeconfig file comes from KUBE_CONFIG_PATH; the context can't be another than the settings'.
        KubernetesProvider(self, "kubernetes", config_context=onprem_settings(deployment).context)
        namespace = Namespace(self, "namespace", NamespaceArgs(deployment, names, names.namespace))
        Storage(self, "storage", StorageArgs(deployment, namespace))
        Network(self, "network", NetworkArgs(deployment, names, namespace))
        identity = Identity(self, "identity", IdentityArgs(deployment, names, namespace))
        Admission(self, "admission", AdmissionArgs(deployment, names))
        Quotas(self, "quotas", QuotasArgs(deployment, namespace))
        scheduling = Scheduling(self, "scheduling", SchedulingArgs(deployment, names))
        add_descriptor(self, deployment, provisioned(deployment, names, identity, scheduling))
        keep_state(self, deployment)
