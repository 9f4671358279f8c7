"""Who may do what in the namespace: workloads by service account, people by a group of the hospital's."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdktn_provider_kubernetes.default_service_account_v1 import (
    DefaultServiceAccountV1,
    DefaultServiceAccountV1Metadata,
)
from cdktn_provider_kubernetes.role_binding_v1 import (
    RoleBindingV1,
    RoleBindingV1Metadata,
    RoleBindingV1RoleRef,
    RoleBindingV1Subject,
)
from cdktn_provider_kubernetes.role_v1 import RoleV1, RoleV1Metadata, RoleV1Rule
from cdktn_provider_kubernetes.service_account_v1 import ServiceAccountV1, ServiceAccountV1Metadata
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.onprem.names import PIPELINE, WORKLOADS, OnpremNames, onprem_settings
from isocenter_infra.onprem.namespace import Namespace

AUDITOR, BREAK_GLASS = "auditor", "break-glass"
_READ = ["get", "list", "watch"]
_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class IdentityArgs:
    """What the identities need to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        namespace: that they act in.
    """

    deployment: Deployment
    names: OnpremNames
    namespace: Namespace


class Identity(Construct):
    """Service accounts that mount no token, and the roles of pipeline, auditors and emergencies.

    Training, serving and gateway have no role: they don't talk to Kubernetes. The kubelet gives them their
    volumes and secrets.
    """

    def __init__(self, scope: Construct, id_: str, args: IdentityArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self._accounts()
        onprem = onprem_settings(args.deployment)
        account = RoleBindingV1Subject(kind="ServiceAccount", name=PIPELINE, namespace=args.namespace.name)
        self._role(PIPELINE, _pipeline(), account)
        self._role(AUDITOR, _auditor(), _group(onprem.auditors))
        self._role(BREAK_GLASS, _break_glass(), _group(onprem.break_glass))

    def described(self) -> dict[str, str]:
        """Who acts, by role, in the words of Kubernetes' access rules."""
        onprem = onprem_settings(self._args.deployment)
        people = {AUDITOR: onprem.auditors, BREAK_GLASS: onprem.break_glass}
        return {role: self._args.names.account(role) for role in WORKLOADS} | people

    def _accounts(self) -> None:
        namespace = self._args.namespace
        for role in WORKLOADS:
            ServiceAccountV1(
                self,
                f"{role}-account",
                metadata=ServiceAccountV1Metadata(**namespace.metadata(role)),
                automount_service_account_token=False,
            )
        # Kubernetes makes this one and gives it to each pod that names none.
        DefaultServiceAccountV1(
            self,
            "default-account",
            metadata=DefaultServiceAccountV1Metadata(namespace=namespace.name),
            automount_service_account_token=False,
        )

    def _role(self, name: str, rules: Sequence[RoleV1Rule], subject: RoleBindingV1Subject) -> None:
        namespace = self._args.namespace
        role = RoleV1(
            self,
            name,
            metadata=[RoleV1Metadata(**namespace.metadata(f"isocenter-{name}"))],
            rule=list(rules),
        )
        RoleBindingV1(
            self,
            f"{name}-binding",
            metadata=RoleBindingV1Metadata(**namespace.metadata(f"isocenter-{name}")),
            role_ref=RoleBindingV1RoleRef(api_group=_RBAC, kind="Role", name=role.metadata.get(0).name),
            subject=[subject],
        )


def _group(name: str) -> RoleBindingV1Subject:
    return RoleBindingV1Subject(kind="Group", name=name, api_group=_RBAC)


def _rule(group: str, resources: list[str], verbs: list[str]) -> RoleV1Rule:
    return RoleV1Rule(api_groups=[group], resources=resources, verbs=verbs)


def _pipeline() -> list[RoleV1Rule]:
    """Starts, watches and ends jobs and endpoints. Reads no secret, opens no shell, changes no right."""
    manage = [*_READ, "create", "patch", "delete"]
    return [
        _rule("batch", ["jobs"], manage),
        _rule("trainer.kubeflow.org", ["trainjobs"], manage),
        _rule("apps", ["deployments"], manage),
        _rule("autoscaling", ["horizontalpodautoscalers"], manage),
        _rule("policy", ["poddisruptionbudgets"], manage),
        _rule("", ["services", "configmaps"], manage),
        # The counts of serving pods.
        _rule("", ["pods/proxy"], ["get"]),
        _rule("", ["pods", "pods/log", "events"], _READ),
    ]


def _auditor() -> list[RoleV1Rule]:
    """Reads what is set up and what runs; no secret, and no log, where patient data could stand."""
    return [
        _rule(
            "",
            [
                "events",
                "limitranges",
                "namespaces",
                "persistentvolumeclaims",
                "pods",
                "resourcequotas",
                "serviceaccounts",
                "services",
            ],
            _READ,
        ),
        _rule("apps", ["deployments", "replicasets"], _READ),
        _rule("autoscaling", ["horizontalpodautoscalers"], _READ),
        _rule("batch", ["jobs"], _READ),
        _rule("networking.k8s.io", ["networkpolicies"], _READ),
        _rule(_RBAC, ["roles", "rolebindings"], _READ),
        _rule("trainer.kubeflow.org", ["trainjobs"], _READ),
    ]


def _break_glass() -> list[RoleV1Rule]:
    """Looks into a pod and ends what does harm; no right over secrets, rights or network policies."""
    return [
        _rule("", ["pods", "pods/log", "events", "services"], _READ),
        _rule("", ["pods"], ["delete"]),
        _rule("", ["pods/exec"], ["get", "create"]),
        _rule("apps", ["deployments", "deployments/scale"], [*_READ, "patch"]),
        _rule("batch", ["jobs"], [*_READ, "delete"]),
        _rule("trainer.kubeflow.org", ["trainjobs"], [*_READ, "delete"]),
    ]
