"""What the Azure stack made, in the descriptor's words."""

from isocenter_infra.azure.audit import Audit
from isocenter_infra.azure.compute import Compute, cluster_name
from isocenter_infra.azure.identity import Identity
from isocenter_infra.azure.keys import Keys
from isocenter_infra.azure.machine import machine_for
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.network import Network
from isocenter_infra.azure.registry import Registry
from isocenter_infra.azure.serving import Serving
from isocenter_infra.azure.storage import Storage
from isocenter_infra.deployment import Deployment
from isocenter_infra.descriptor import Provisioned

# What the Azure provider has no resource for.
BY_PLATFORM = (
    "Online endpoints and their deployments are made by the backend, public access off; it then writes Azure"
    " Monitor's autoscale setting of each, with the bounds in settings.autoscale.",
    "Quota of the machine families in settings.quota is asked for by a person or by the backend: Azure's new"
    " subscriptions have none for GPUs.",
    "An image's signature and scan are checked before it is let out of the registry's quarantine; the"
    " registry itself admits what is let out.",
    "A pushed tag is locked against overwriting (write-enabled: false): the registry has no setting for it.",
    "Values of the secrets site-secret and audit-signing-key are overwritten by the platform: what Terraform"
    " puts in is random and kept nowhere.",
    "Model versions are registered in the workspace as a mirror; Terraform has no resource for them.",
    "A notebook's machine is shut down when idle by the backend: the provider has no setting for it.",
)


def provisioned(
    deployment: Deployment,
    names: AzureNames,
    keys: Keys,
    storage: Storage,
    audit: Audit,
    network: Network,
    identity: Identity,
    registry: Registry,
    compute: Compute,
    serving: Serving,
) -> Provisioned:
    """The stack's side of the descriptor."""
    buckets = (storage.data, storage.models, storage.logs, audit.bucket)
    gpu = deployment.settings.compute.gpu
    return Provisioned(
        backend="azureml",
        buckets={bucket.purpose: bucket.uri for bucket in buckets},
        keys={
            "data": keys.data.id,
            "audit": keys.audit.id,
            "registry": keys.registry.id,
            "secrets": keys.secrets.id,
        },
        registry=registry.registry.login_server,
        identities=identity.client_ids,
        network=network.network.id,
        subnets=tuple(subnet.id for subnet in network.subnets.values()),
        security_groups=tuple(group.id for group in network.groups.values()),
        workspace=compute.workspace.name,
        log_sink=audit.bucket.container.id,
        by_platform=BY_PLATFORM,
        settings={
            "subscription": names.subscription,
            "tenant": names.tenant,
            "resource_group": compute.workspace.resource_group_name,
            "vault": keys.vault.vault.vault_uri,
            "log_workspace": audit.workspace.workspace_id,
            "datastores": {purpose: store.name for purpose, store in compute.datastores.items()},
            "clusters": {f"{size.size}x{size.per_node}": cluster_name(size) for size in gpu},
            "identity_ids": {role: identity.users[role].id for role in ("training", "serving", "pipeline")},
            "quota": {machine_for(size).family: size.max_nodes for size in gpu},
            "autoscale": serving.autoscale,
        },
    )
