"""What the Azure stack made, in the descriptor's words."""

from typing import Any

from isocenter.targets.settings import GpuSettings
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
    " Monitor's autoscale setting of each, within endpoint_bounds and by the load in settings.autoscale.",
    "Quota of the machine families in settings.clusters is asked for by a person or by the backend: a new"
    " subscription has none for GPUs.",
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
            "clusters": [_cluster(size) for size in gpu],
            "identity_ids": {role: identity.users[role].id for role in ("training", "serving", "pipeline")},
            "autoscale": serving.autoscale,
        },
    )


def _cluster(gpu: GpuSettings) -> dict[str, Any]:
    """Which cluster a job asks for, and of which family's quota it lives."""
    return {
        "name": cluster_name(gpu),
        "size": gpu.size,
        "per_node": gpu.per_node,
        "spot": gpu.spot,
        "max_nodes": gpu.max_nodes,
        "family": machine_for(gpu).family,
    }
