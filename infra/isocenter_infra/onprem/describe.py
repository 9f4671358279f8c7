"""What the platform layer is told of a deployment on-premises, and what the hospital must do itself."""

from isocenter_infra.deployment import Deployment
from isocenter_infra.descriptor import Provisioned
from isocenter_infra.onprem.identity import Identity
from isocenter_infra.onprem.names import COMPONENT, OnpremNames, onprem_settings
from isocenter_infra.onprem.scheduling import Scheduling
from isocenter_infra.onprem.storage import VOLUMES

_BUCKETS = ("data", "models", "audit", "logs")


def provisioned(
    deployment: Deployment, names: OnpremNames, identity: Identity, scheduling: Scheduling
) -> Provisioned:
    """The deployment in the descriptor's words. Secrets are named, never read."""
    onprem = onprem_settings(deployment)
    buckets = {purpose: names.bucket(purpose) for purpose in _BUCKETS}
    address = {"object-store": names.object_store_address} if names.object_store_address else {}
    return Provisioned(
        backend="kubernetes",
        buckets=buckets,
        # The hospital's key service holds the keys; nothing here knows their names.
        keys={},
        registry=onprem.registry,
        identities=identity.described(),
        network=f"{onprem.context}/{names.namespace}",
        subnets=(),
        security_groups=(),
        workspace=names.namespace,
        log_sink=buckets["audit"],
        endpoints=address,
        by_platform=_by_platform(deployment, names),
        settings={
            "context": onprem.context,
            "namespace": names.namespace,
            "component_label": COMPONENT,
            "volumes": {name: name for name in VOLUMES},
            "secrets": {"object-store": onprem.object_store_secret, "database": onprem.database_secret},
            **scheduling.described(),
        },
    )


def _by_platform(deployment: Deployment, names: OnpremNames) -> tuple[str, ...]:
    """What this stack can't express: the hospital's part, then the platform layer's."""
    onprem, years = onprem_settings(deployment), deployment.settings.retention.audit_years
    return (
        f"The storage class {onprem.storage_class} must encrypt its volumes under a key that is rotated; "
        "Kubernetes can't show it.",
        "The API server must encrypt secrets at rest (EncryptionConfiguration with a KMS provider): "
        "they hold the Terraform state too.",
        "The API server must keep an audit log (audit policy): metadata of every request, and each use of "
        f"pods/exec; a copy goes to {names.bucket('audit')}.",
        f"The object store must refuse plain HTTP, keep versions, and lock {names.bucket('audit')} against "
        f"deletion for {years} years.",
        "The network plug-in must enforce NetworkPolicy with endPort, and log the flows.",
        "Kubernetes' network policies can't say 'of the same job': training pods of one namespace reach one "
        "another on unprivileged ports.",
        "The network between machines must be encrypted (by the network plug-in or below it): torchrun and "
        "calls of the serving pods are not.",
        f"The registry {onprem.registry} must keep tags immutable and scan images; the platform layer signs "
        "images and admits none without a valid signature.",
        f"Access of {onprem.break_glass} is an emergency's: the identity provider adds and removes people, "
        "and an alarm is raised on each use.",
        f"Alarms go to {deployment.settings.security_contact}; the cluster's monitoring sends them.",
        "A second site holds copies of the object store and the database.",
        f"The secrets {onprem.object_store_secret} and {onprem.database_secret} are made and rotated by the "
        "hospital's secret store; Terraform never reads them.",
        "Plan and deploy run on a machine of the hospital under its operator's own name: there is no "
        "identity for a hosted workflow.",
        "Quotas stand in the place of a budget.",
        "The platform layer keeps the model registry, the lineage and the signed audit trail.",
    )
