"""A passing and a failing document of each rule for Kubernetes."""

from policies.case import GONE, Case, changed

DIGEST = "registry.example/trainer@sha256:" + "0" * 64
POD = {
    "spec": {
        "template": {"spec": {"container": [{"image": DIGEST, "security_context": {"privileged": False}}]}}
    }
}
SPEC = "spec.template.spec"
MANIFEST = {
    "manifest": {
        "kind": "Pod",
        "spec": {"containers": [{"name": "a", "securityContext": {"privileged": False}}], "volumes": []},
    }
}

DENY_ALL = {
    "metadata": {"namespace": "@"},
    "spec": {"pod_selector": {}, "policy_types": ["Ingress", "Egress"]},
}

CASES = (
    Case(
        "kubernetes/pod_security",
        "kubernetes_namespace_v1",
        {"metadata": {"name": "n", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
        {"metadata.labels": {"pod-security.kubernetes.io/enforce": "privileged"}, "metadata": {"name": "n"}},
    ),
    Case(
        "kubernetes/namespace_policy",
        "kubernetes_namespace_v1",
        {"metadata": {"name": "n"}},
        beside={"kubernetes_network_policy_v1": {"metadata": {"namespace": "@"}}},
    ),
    *(
        Case(
            "kubernetes/namespace_denies",
            "kubernetes_namespace_v1",
            {"metadata": {"name": "n"}},
            {"": {"metadata": {"name": "n"}}},
            beside={"kubernetes_network_policy_v1": DENY_ALL},
            bad_beside={"kubernetes_network_policy_v1": changed(DENY_ALL, path, value)},
        )
        for path, value in (
            ("spec.policy_types", ["Ingress"]),
            ("spec.pod_selector", {"match_labels": {"app": "a"}}),
            ("spec.egress", [{}]),
            ("metadata.namespace", "default"),
        )
    ),
    Case(
        "kubernetes/open_egress",
        "kubernetes_network_policy_v1",
        {"spec": {"policy_types": ["Egress"], "egress": [{"to": [{"ip_block": {"cidr": "10.0.0.0/8"}}]}]}},
        {"spec.egress.0.to.0.ip_block.cidr": "0.0.0.0/0", "spec.egress.0": {"ports": [{"port": "443"}]}},
    ),
    Case(
        "kubernetes/open_ingress",
        "kubernetes_network_policy_v1",
        {"spec": {"policy_types": ["Ingress"], "ingress": [{"from": [{"pod_selector": {}}]}]}},
        {"spec.ingress.0.from": [{"ip_block": {"cidr": "0.0.0.0/0"}}], "spec.ingress.0": {"ports": []}},
    ),
    Case(
        "kubernetes/policy_types",
        "kubernetes_network_policy_v1",
        {"spec": {"policy_types": ["Egress"], "egress": [{"to": [{"pod_selector": {}}]}]}},
        {"spec.policy_types": ["Ingress"], "spec": {"policy_types": []}},
    ),
    Case(
        "kubernetes/role_wildcards",
        "kubernetes_role_v1",
        {"rule": [{"resources": ["pods"], "verbs": ["get"]}]},
        {"rule.0.resources": ["*"], "rule.0.verbs": ["get", "escalate"]},
    ),
    Case(
        "kubernetes/no_cluster_admin",
        "kubernetes_cluster_role_binding_v1",
        {"role_ref": {"name": "view"}, "subject": [{"name": "auditors"}]},
        {"role_ref.name": "cluster-admin", "subject.0.name": "system:anonymous"},
    ),
    Case(
        "kubernetes/account_token",
        "kubernetes_service_account_v1",
        {"automount_service_account_token": False},
        {"automount_service_account_token": True, "": {"metadata": {"name": "x"}}},
    ),
    Case(
        "kubernetes/volume_class",
        "kubernetes_persistent_volume_claim_v1",
        {"spec": {"storage_class_name": "encrypted", "access_modes": ["ReadWriteOnce"]}},
        {"spec.storage_class_name": GONE},
    ),
    Case(
        "kubernetes/storage_class_retains",
        "kubernetes_storage_class_v1",
        {"reclaim_policy": "Retain"},
        {"reclaim_policy": "Delete"},
    ),
    Case(
        "kubernetes/namespace_quota",
        "kubernetes_resource_quota_v1",
        {"spec": {"hard": {"requests.cpu": "64", "requests.nvidia.com/gpu": "2"}}},
        {"spec.hard": {"requests.cpu": "64"}},
    ),
    Case(
        "kubernetes/workload_hardened",
        "kubernetes_job_v1",
        POD,
        {
            f"{SPEC}.host_network": True,
            f"{SPEC}.host_pid": True,
            f"{SPEC}.volume": [{"host_path": {"path": "/"}}],
            f"{SPEC}.container.0.security_context.privileged": True,
        },
    ),
    Case(
        "kubernetes/image_digests",
        "kubernetes_deployment_v1",
        POD,
        {f"{SPEC}.container.0.image": "registry.example/trainer:1.2"},
    ),
    Case(
        "kubernetes/manifest_hardened",
        "kubernetes_manifest",
        MANIFEST,
        {
            "manifest.spec.hostNetwork": True,
            "manifest.spec.volumes": [{"name": "root", "hostPath": {"path": "/"}}],
            "manifest.spec.containers.0.securityContext.privileged": True,
        },
    ),
    Case(
        "kubernetes/service_internal",
        "kubernetes_service_v1",
        {"spec": {"type": "ClusterIP"}},
        {"spec.type": "LoadBalancer"},
    ),
    Case(
        "kubernetes/ingress_tls",
        "kubernetes_ingress_v1",
        {"spec": {"tls": [{"secret_name": "s"}]}},
        {"spec.tls": []},
    ),
    Case(
        "kubernetes/helm_pinned",
        "helm_release",
        {"version": "1.2.3", "repository": "https://charts.example"},
        {"version": GONE, "repository": "http://charts.example"},
    ),
    Case(
        "kubernetes/prevent_destroy",
        "kubernetes_persistent_volume_claim_v1",
        {"lifecycle": {"prevent_destroy": True}},
        {"lifecycle.prevent_destroy": False},
    ),
)
