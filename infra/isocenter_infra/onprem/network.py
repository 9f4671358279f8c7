"""What may talk to what. Nothing may, unless a policy here says so: policies only ever add."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdktn_provider_kubernetes.network_policy_v1 import (
    NetworkPolicyV1,
    NetworkPolicyV1Metadata,
    NetworkPolicyV1Spec,
    NetworkPolicyV1SpecEgress,
    NetworkPolicyV1SpecEgressPorts,
    NetworkPolicyV1SpecEgressTo,
    NetworkPolicyV1SpecEgressToIpBlock,
    NetworkPolicyV1SpecEgressToNamespaceSelector,
    NetworkPolicyV1SpecEgressToPodSelector,
    NetworkPolicyV1SpecIngress,
    NetworkPolicyV1SpecIngressFrom,
    NetworkPolicyV1SpecIngressFromIpBlock,
    NetworkPolicyV1SpecIngressFromPodSelector,
    NetworkPolicyV1SpecIngressPorts,
    NetworkPolicyV1SpecPodSelector,
    NetworkPolicyV1SpecPodSelectorMatchExpressions,
)
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.onprem.names import (
    COMPONENT,
    GATEWAY,
    NAMESPACE_NAME,
    PIPELINE,
    SERVING,
    TRAINING,
    WORKLOADS,
    OnpremNames,
    onprem_settings,
)
from isocenter_infra.onprem.namespace import Namespace

_DNS, _POSTGRESQL, _API_SERVER = 53, 5432, 6443
_SERVING = 8080
# HTTPS, and DICOM over TLS by its registered port.
_GATEWAY = (8443, 2762)
# torchrun meets on a port of its choice, and NCCL and Gloo open further ones.
_UNPRIVILEGED = (1024, 65535)


@dataclass(frozen=True)
class NetworkArgs:
    """What the network needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        namespace: whose pods the policies are about.
    """

    deployment: Deployment
    names: OnpremNames
    namespace: Namespace


class Network(Construct):
    """Denies all, then allows: names, the settings' ranges, training among itself, and the gateway's ways."""

    def __init__(self, scope: Construct, id_: str, args: NetworkArgs) -> None:
        super().__init__(scope, id_)
        self._namespace = args.namespace
        deny_all(self, args.namespace)
        self._allow("dns", _every_pod(), egress=[_to_dns()])
        self._training()
        self._serving()
        onprem, store = onprem_settings(args.deployment), args.names.object_store_port
        outside = [str(network) for network in onprem.allowed_egress]
        self._reach("object-store", (TRAINING, SERVING, PIPELINE, GATEWAY), outside, [store])
        self._reach("database", (PIPELINE, GATEWAY), outside, [_POSTGRESQL])
        self._reach("api-server", (PIPELINE,), outside, [_API_SERVER])
        self._enter([str(network) for network in onprem.allowed_ingress])

    def _training(self) -> None:
        ports = {"protocol": "TCP", "port": str(_UNPRIVILEGED[0]), "end_port": _UNPRIVILEGED[1]}
        among = {COMPONENT: TRAINING}
        self._allow(
            "training",
            _pods(TRAINING),
            ingress=[
                NetworkPolicyV1SpecIngress(
                    from_=[_from_pods(among)], ports=[NetworkPolicyV1SpecIngressPorts(**ports)]
                )
            ],
            egress=[
                NetworkPolicyV1SpecEgress(
                    to=[_to_pods(among)], ports=[NetworkPolicyV1SpecEgressPorts(**ports)]
                )
            ],
        )

    def _serving(self) -> None:
        """The gateway and the pipeline's checks ask for predictions."""
        callers = (GATEWAY, PIPELINE)
        self._allow(
            "serving",
            _pods(SERVING),
            ingress=[
                NetworkPolicyV1SpecIngress(
                    from_=[_from_pods({COMPONENT: caller}) for caller in callers],
                    ports=[NetworkPolicyV1SpecIngressPorts(protocol="TCP", port=str(_SERVING))],
                )
            ],
        )
        to = NetworkPolicyV1SpecEgress(
            to=[_to_pods({COMPONENT: SERVING})],
            ports=[NetworkPolicyV1SpecEgressPorts(protocol="TCP", port=str(_SERVING))],
        )
        self._allow("serving-callers", _pods(*callers), egress=[to])

    def _reach(self, name: str, roles: Sequence[str], ranges: Sequence[str], ports: Sequence[int]) -> None:
        """Let pods of ``roles`` reach ``ranges``; without any there is no policy: an empty list means all."""
        if not ranges:
            return
        self._allow(
            name,
            _pods(*roles),
            egress=[
                NetworkPolicyV1SpecEgress(
                    to=[
                        NetworkPolicyV1SpecEgressTo(ip_block=NetworkPolicyV1SpecEgressToIpBlock(cidr=cidr))
                        for cidr in ranges
                    ],
                    ports=[NetworkPolicyV1SpecEgressPorts(protocol="TCP", port=str(port)) for port in ports],
                )
            ],
        )

    def _enter(self, ranges: Sequence[str]) -> None:
        """Let ``ranges`` call the gateway; without ranges nobody outside can."""
        if not ranges:
            return
        sources = [
            NetworkPolicyV1SpecIngressFrom(ip_block=NetworkPolicyV1SpecIngressFromIpBlock(cidr=cidr))
            for cidr in ranges
        ]
        ports = [NetworkPolicyV1SpecIngressPorts(protocol="TCP", port=str(port)) for port in _GATEWAY]
        rule = NetworkPolicyV1SpecIngress(from_=sources, ports=ports)
        self._allow("gateway", _pods(GATEWAY), ingress=[rule])

    def _allow(
        self,
        name: str,
        pods: NetworkPolicyV1SpecPodSelector,
        *,
        ingress: Sequence[NetworkPolicyV1SpecIngress] = (),
        egress: Sequence[NetworkPolicyV1SpecEgress] = (),
    ) -> None:
        kinds = [kind for kind, rules in (("Ingress", ingress), ("Egress", egress)) if rules]
        NetworkPolicyV1(
            self,
            name,
            metadata=NetworkPolicyV1Metadata(**self._namespace.metadata(f"allow-{name}")),
            spec=NetworkPolicyV1Spec(
                pod_selector=pods,
                policy_types=kinds,
                ingress=list(ingress) or None,
                egress=list(egress) or None,
            ),
        )


def deny_all(scope: Construct, namespace: Namespace) -> None:
    """Deny the pods of ``namespace`` all traffic, in and out."""
    NetworkPolicyV1(
        scope,
        "deny-all",
        metadata=NetworkPolicyV1Metadata(**namespace.metadata("deny-all")),
        spec=NetworkPolicyV1Spec(pod_selector=_every_pod(), policy_types=["Ingress", "Egress"]),
    )


def _every_pod() -> NetworkPolicyV1SpecPodSelector:
    return NetworkPolicyV1SpecPodSelector()


def _pods(*roles: str) -> NetworkPolicyV1SpecPodSelector:
    assert set(roles) <= set(WORKLOADS)  # noqa: S101 - a misspelt role would select nothing, silently
    chosen = NetworkPolicyV1SpecPodSelectorMatchExpressions(key=COMPONENT, operator="In", values=list(roles))
    return NetworkPolicyV1SpecPodSelector(match_expressions=[chosen])


def _to_dns() -> NetworkPolicyV1SpecEgress:
    """To the cluster's name servers, and no other: names are a way out of a network too."""
    servers = NetworkPolicyV1SpecEgressTo(
        namespace_selector=NetworkPolicyV1SpecEgressToNamespaceSelector(
            match_labels={NAMESPACE_NAME: "kube-system"}
        ),
        pod_selector=NetworkPolicyV1SpecEgressToPodSelector(match_labels={"k8s-app": "kube-dns"}),
    )
    ports = [NetworkPolicyV1SpecEgressPorts(protocol=protocol, port=str(_DNS)) for protocol in ("UDP", "TCP")]
    return NetworkPolicyV1SpecEgress(to=[servers], ports=ports)


def _to_pods(labels: dict[str, str]) -> NetworkPolicyV1SpecEgressTo:
    return NetworkPolicyV1SpecEgressTo(
        pod_selector=NetworkPolicyV1SpecEgressToPodSelector(match_labels=labels)
    )


def _from_pods(labels: dict[str, str]) -> NetworkPolicyV1SpecIngressFrom:
    return NetworkPolicyV1SpecIngressFrom(
        pod_selector=NetworkPolicyV1SpecIngressFromPodSelector(match_labels=labels)
    )
