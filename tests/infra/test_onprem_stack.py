"""The stack in a hospital's own Kubernetes, read from what Terraform would be given."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from infra.policy_evaluator import End, Policies

from isocenter.errors import InputError
from isocenter.targets.settings import DeploymentSettings
from isocenter.targets.settings_file import read_settings
from isocenter_infra.deployment import Deployment
from isocenter_infra.descriptor import parse_descriptor

if find_spec("cdktn_provider_kubernetes") is None or find_spec("kubernetes_validate") is None:
    pytest.skip("LACKS: the on-premises bindings (pip install 'infra[onprem]')", allow_module_level=True)

from isocenter_infra.onprem.manifests import manifests, validate_manifests
from isocenter_infra.synthesis import synthesize

EXAMPLE = Path(__file__).parents[2] / "deployments" / "onprem-example.yaml"
ROLES = ("training", "serving", "pipeline", "gateway")
Document = dict[str, Any]


@cache
def _synthesized(changes: str = "{}", stack: str = "main", protect: bool = True) -> str:
    body = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    for place, value in json.loads(changes).items():
        *parents, last = place.split(".")
        part = body
        for parent in parents:
            part = part.setdefault(parent, {})
        part[last] = value
    deployment = Deployment(DeploymentSettings.model_validate(body), protect=protect)
    return synthesize(deployment, lambda _: None, stack=stack).text.decode()


def synthesized(stack: str = "main", protect: bool = True, **changes: Any) -> Document:
    """The document of the example with some settings changed, ``onprem__volumes`` for ``onprem.volumes``."""
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    document: Document = json.loads(_synthesized(json.dumps(dotted, sort_keys=True), stack, protect))
    return document


@pytest.fixture
def document() -> Document:
    return synthesized()


def of_kind(document: Document, kind: str) -> dict[str, dict[str, Any]]:
    """Manifests of a kind by name."""
    found = [manifest for manifest in manifests(document).values() if manifest["kind"] == kind]
    return {manifest["metadata"]["name"]: manifest for manifest in found}


def pod(role: str, namespace: str = "isocenter") -> End:
    labels = {"app.kubernetes.io/component": role} if role else {}
    return End(namespace, labels, address="172.24.0.7")


def policies(document: Document) -> Policies:
    return Policies(list(manifests(document).values()))


# --- what gets through ---

DNS = End("kube-system", {"k8s-app": "kube-dns"}, "172.24.0.2")
ALLOWED_RANGE = End(address="10.10.4.17")
NEIGHBOUR = End(address="10.10.5.17")
INTERNET = End(address="198.51.100.7")
CLIENT = End(address="10.10.8.30")


def test_a_pod_without_a_role_reaches_nothing_but_names(document: Document) -> None:
    cluster = policies(document)
    others = [*(pod(role) for role in ROLES), ALLOWED_RANGE, NEIGHBOUR, INTERNET, pod("training", "default")]
    ports = (22, 53, 80, 443, 2049, 5432, 6443, 8080, 8443, 29500)
    assert not any(cluster.let(pod(""), other, port) for other, port in product(others, ports))
    assert not any(cluster.let(other, pod(""), port) for other, port in product(others, ports))
    assert cluster.let(pod(""), DNS, 53, "UDP")
    assert cluster.let(pod(""), DNS, 53)


def test_names_are_asked_of_the_cluster_only(document: Document) -> None:
    cluster = policies(document)
    elsewhere = [
        End("kube-system", {"k8s-app": "metrics-server"}),
        End("default", {"k8s-app": "kube-dns"}),
        INTERNET,
        ALLOWED_RANGE,
    ]
    assert not any(cluster.let(pod("training"), end, 53, "UDP") for end in elsewhere)
    assert not cluster.let(pod("training"), DNS, 443)


@pytest.mark.parametrize("port", [29400, 29500, 45123])
def test_training_pods_meet(document: Document, port: int) -> None:
    assert policies(document).let(pod("training"), pod("training"), port)


def test_training_pods_are_met_by_nobody_else(document: Document) -> None:
    cluster = policies(document)
    strangers = [*(pod(role) for role in ("serving", "pipeline", "gateway")), pod("training", "default")]
    assert not any(cluster.let(stranger, pod("training"), 29500) for stranger in [*strangers, CLIENT])
    assert not any(cluster.let(pod("training"), stranger, 29500) for stranger in strangers)
    assert not cluster.let(pod("training"), pod("training"), 22)


@pytest.mark.parametrize(
    ("role", "reached"),
    [
        ("training", {443}),
        ("serving", {443}),
        ("gateway", {443, 5432}),
        ("pipeline", {443, 5432, 6443}),
    ],
)
def test_each_role_reaches_its_services_in_the_allowed_range(
    document: Document, role: str, reached: set[int]
) -> None:
    cluster, ports = policies(document), (22, 80, 443, 5432, 6443, 8080)
    assert {port for port in ports if cluster.let(pod(role), ALLOWED_RANGE, port)} == reached
    assert not any(cluster.let(pod(role), end, port) for end in (NEIGHBOUR, INTERNET) for port in ports)


def test_predictions_are_asked_by_gateway_and_pipeline(document: Document) -> None:
    cluster = policies(document)
    assert {role for role in ROLES if cluster.let(pod(role), pod("serving"), 8080)} == {"gateway", "pipeline"}
    assert not cluster.let(CLIENT, pod("serving"), 8080)


def test_the_gateway_is_the_one_way_in(document: Document) -> None:
    cluster, ports = policies(document), (80, 443, 2762, 8080, 8443)
    entered = {(role, port) for role, port in product(ROLES, ports) if cluster.let(CLIENT, pod(role), port)}
    assert entered == {("gateway", 8443), ("gateway", 2762)}
    assert not any(cluster.let(INTERNET, pod("gateway"), port) for port in ports)
    quota = of_kind(document, "ResourceQuota")["exposure"]["spec"]["hard"]
    assert quota == {"services.loadbalancers": "0", "services.nodeports": "0"}


def test_without_ranges_nothing_is_allowed_rather_than_everything() -> None:
    cluster = policies(synthesized(onprem__allowed_egress=[], onprem__allowed_ingress=[]))
    ends = (ALLOWED_RANGE, NEIGHBOUR, INTERNET, CLIENT)
    for role, end, port in product(ROLES, ends, (443, 5432, 6443, 8443)):
        assert not cluster.let(pod(role), end, port)
        assert not cluster.let(end, pod(role), port)


def test_the_object_store_s_own_port_is_opened() -> None:
    cluster = policies(synthesized(onprem__object_store="https://objects.hospital.example:9000"))
    assert cluster.let(pod("training"), ALLOWED_RANGE, 9000)
    assert not cluster.let(pod("training"), ALLOWED_RANGE, 443)


def test_the_evaluator_sees_a_policy_that_was_lost(document: Document) -> None:
    """The tests above would notice: without `deny-all` an unlabelled pod is free."""
    left = [m for m in manifests(document).values() if m["metadata"]["name"] != "deny-all"]
    assert Policies(left).let(pod("training"), pod(""), 22) is False  # its own egress policy still binds it
    assert Policies(left).let(CLIENT, pod(""), 22)


# --- what may run ---


def test_the_namespace_enforces_the_restricted_standard(document: Document) -> None:
    labels = of_kind(document, "Namespace")["isocenter"]["metadata"]["labels"]
    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
    assert labels["data-classification"] == "phi"


def _admitted(document: Document) -> Callable[[Mapping[str, Any]], list[str]]:
    """Runs the admission policy's own expressions; returns the messages of those that refuse."""
    celpy = pytest.importorskip("celpy", reason="LACKS: cel-python")
    policy = of_kind(document, "ValidatingAdmissionPolicy")["isocenter-onprem-example-pods"]["spec"]
    environment = celpy.Environment()
    programs = [
        (environment.program(environment.compile(rule["expression"])), rule["message"])
        for rule in policy["validations"]
    ]

    def refused(manifest: Mapping[str, Any]) -> list[str]:
        activation = {"object": celpy.json_to_cel(manifest)}
        return [message for program, message in programs if not program.evaluate(activation)]

    return refused


IMAGE = "registry.hospital.example/isocenter/training@sha256:" + "a" * 64


def _pod_manifest(role: str = "training") -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app.kubernetes.io/component": role}},
        "spec": {"serviceAccountName": role, "containers": [{"name": "main", "image": IMAGE}]},
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_pod_of_ours_is_admitted(document: Document) -> None:
    refused = _admitted(document)
    for role in ROLES:
        assert refused(_pod_manifest(role)) == []
    pipeline = _pod_manifest("pipeline")
    pipeline["spec"]["automountServiceAccountToken"] = True
    assert refused(pipeline) == []


def _faulty_pods() -> Iterator[tuple[str, dict[str, Any], str]]:
    def changed(name: str, word: str, change: Callable[[dict[str, Any]], object]) -> tuple[str, Any, str]:
        manifest = _pod_manifest()
        change(manifest)
        return name, manifest, word

    token = {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    tagged = {"name": "x", "image": "registry.hospital.example/isocenter/training:latest"}
    foreign = {"name": "x", "image": "docker.io/library/busybox@sha256:" + "a" * 64}
    short = {"name": "x", "image": IMAGE[:-1]}
    longer = {"name": "x", "image": IMAGE + "a"}
    lookalike = {"name": "x", "image": IMAGE.replace("isocenter/", "isocenter-evil/")}
    yield changed("tag", "digest", lambda m: m["spec"].update(containers=[tagged]))
    yield changed("short digest", "digest", lambda m: m["spec"].update(containers=[short]))
    yield changed("long digest", "digest", lambda m: m["spec"].update(containers=[longer]))
    yield changed("other registry", "digest", lambda m: m["spec"].update(containers=[foreign]))
    yield changed("registry's lookalike", "digest", lambda m: m["spec"].update(containers=[lookalike]))
    yield changed("init container", "digest", lambda m: m["spec"].update(initContainers=[foreign]))
    yield changed("debug container", "digest", lambda m: m["spec"].update(ephemeralContainers=[foreign]))
    yield changed("default account", "account", lambda m: m["spec"].update(serviceAccountName="default"))
    yield changed("no labels", "label", lambda m: m.update(metadata={}))
    yield changed(
        "another role's label",
        "label",
        lambda m: m["metadata"]["labels"].update({"app.kubernetes.io/component": "pipeline"}),
    )
    yield changed("mounted token", "token", lambda m: m["spec"].update(automountServiceAccountToken=True))
    yield changed("projected token", "token", lambda m: m["spec"].update(volumes=[token]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("name", "manifest", "word"), [*_faulty_pods()])
def test_a_pod_that_is_not_ours_is_refused(
    document: Document, name: str, manifest: dict[str, Any], word: str
) -> None:
    assert [message for message in _admitted(document)(manifest) if word in message], name


def test_admission_is_bound_and_denies(document: Document) -> None:
    (name, policy), *_ = of_kind(document, "ValidatingAdmissionPolicy").items()
    (binding,) = of_kind(document, "ValidatingAdmissionPolicyBinding").values()
    assert binding["spec"]["policyName"] == name
    assert "Deny" in binding["spec"]["validationActions"]
    assert policy["spec"]["failurePolicy"] == "Fail"
    (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
    assert {"pods", "pods/ephemeralcontainers"} <= set(rule["resources"])


def test_nothing_in_the_stack_runs_a_pod_or_is_privileged(document: Document) -> None:
    kinds = {manifest["kind"] for manifest in manifests(document).values()}
    assert not kinds & {
        "Pod",
        "Deployment",
        "DaemonSet",
        "StatefulSet",
        "Job",
        "CronJob",
        "ClusterRoleBinding",
    }
    assert '"privileged": true' not in json.dumps(document)


# --- who may do what ---


def test_no_account_mounts_a_token(document: Document) -> None:
    accounts = of_kind(document, "ServiceAccount")
    assert set(accounts) == {*ROLES, "default"}
    assert all(account["automountServiceAccountToken"] is False for account in accounts.values())


def _rights(document: Document, role: str) -> set[tuple[str, str, str]]:
    rules = of_kind(document, "Role")[f"isocenter-{role}"]["rules"]
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_roles_hold_no_wildcard_and_reach_no_secret_or_right(document: Document) -> None:
    for role in ("pipeline", "auditor", "break-glass"):
        rights = _rights(document, role)
        assert rights
        assert not any("*" in part for right in rights for part in right)
        assert not any(resource in ("secrets", "serviceaccounts/token") for _, resource, _ in rights)
        assert not any(verb in ("escalate", "bind", "impersonate") for *_, verb in rights)
        changes = {resource for _, resource, verb in rights if verb not in ("get", "list", "watch")}
        assert not changes & {
            "roles",
            "rolebindings",
            "networkpolicies",
            "resourcequotas",
            "limitranges",
            "serviceaccounts",
            "namespaces",
            "persistentvolumeclaims",
        }


def test_the_auditor_only_reads_and_sees_no_logs(document: Document) -> None:
    rights = _rights(document, "auditor")
    assert {verb for *_, verb in rights} == {"get", "list", "watch"}
    assert not any(resource.startswith("pods/") for _, resource, _ in rights)


def test_only_break_glass_opens_a_shell(document: Document) -> None:
    opens = {role for role in ("pipeline", "auditor", "break-glass") if _shell(_rights(document, role))}
    assert opens == {"break-glass"}


def _shell(rights: set[tuple[str, str, str]]) -> bool:
    return any(resource in ("pods/exec", "pods/attach", "pods/portforward") for _, resource, _ in rights)


def test_each_role_is_bound_to_one_subject(document: Document) -> None:
    subjects = {
        name: [(subject["kind"], subject["name"]) for subject in binding["subjects"]]
        for name, binding in of_kind(document, "RoleBinding").items()
    }
    assert subjects == {
        "isocenter-pipeline": [("ServiceAccount", "pipeline")],
        "isocenter-auditor": [("Group", "isocenter-auditors")],
        "isocenter-break-glass": [("Group", "isocenter-break-glass")],
    }
    for name, binding in of_kind(document, "RoleBinding").items():
        assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}


# --- quotas, volumes, scheduling ---


def test_gpus_are_counted_over_all_sizes() -> None:
    gpu = [{"size": "l4", "per_node": 2, "max_nodes": 3}, {"size": "h100", "per_node": 8, "max_nodes": 1}]
    document = synthesized(compute__gpu=gpu)
    hard = of_kind(document, "ResourceQuota")["compute"]["spec"]["hard"]
    assert hard["requests.nvidia.com/gpu"] == "14"
    assert {"requests.cpu", "limits.cpu", "requests.memory", "limits.memory", "pods"} <= set(hard)
    container, _ = of_kind(document, "LimitRange")["limits"]["spec"]["limits"]
    assert container["max"]["nvidia.com/gpu"] == "8"
    assert container["max"]["memory"] == "1Ti"


def test_no_pod_takes_the_cluster_s_own_priority(document: Document) -> None:
    spec = of_kind(document, "ResourceQuota")["system-priority"]["spec"]
    assert spec["hard"] == {"pods": "0"}
    (scope,) = spec["scopeSelector"]["matchExpressions"]
    assert set(scope["values"]) == {"system-cluster-critical", "system-node-critical"}


def test_serving_goes_before_training(document: Document) -> None:
    classes = of_kind(document, "PriorityClass")
    order = sorted(classes, key=lambda name: classes[name]["value"])
    assert [name.removeprefix("isocenter-onprem-example-") for name in order] == [
        "training-spot",
        "training",
        "pipeline",
        "serving",
    ]
    assert not any(found["globalDefault"] for found in classes.values())


def test_volumes_lie_on_the_encrypted_class_and_are_kept(document: Document) -> None:
    claims = of_kind(document, "PersistentVolumeClaim")
    assert set(claims) == {"datasets", "checkpoints", "models"}
    assert {claim["spec"]["storageClassName"] for claim in claims.values()} == {"encrypted-ssd"}
    kept = {kind for kind, _, body in _bodies(document) if body.get("lifecycle", {}).get("prevent_destroy")}
    assert kept == {"kubernetes_namespace_v1", "kubernetes_persistent_volume_claim_v1"}


def test_a_forced_destroy_lifts_the_protection() -> None:
    document = synthesized(protect=False)
    assert not any(body.get("lifecycle", {}).get("prevent_destroy") for *_, body in _bodies(document))


def test_volumes_of_one_machine() -> None:
    claims = of_kind(synthesized(onprem__volumes={"shared": False}), "PersistentVolumeClaim")
    assert {tuple(claim["spec"]["accessModes"]) for claim in claims.values()} == {("ReadWriteOnce",)}


def _bodies(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for kind, named in document["resource"].items():
        yield from ((kind, name, body) for name, body in named.items())


# --- secrets, descriptor, state ---


def test_secrets_are_named_and_never_read(document: Document) -> None:
    assert "data" not in document
    assert not any("secret" in kind for kind in document["resource"])
    assert [
        place for place in ("isocenter-object-store", "isocenter-database") if place in _described(document)
    ]


def _described(document: Document) -> str:
    return json.dumps(document["output"]["descriptor"]["value"])


def test_the_descriptor_is_whole() -> None:
    found = parse_descriptor(_described(synthesized()))
    assert (found.provider, found.backend, found.residency) == ("onprem", "kubernetes", "hospital")
    assert set(found.identities) == {*ROLES, "auditor", "break-glass"}
    assert found.identities["training"] == "system:serviceaccount:isocenter:training"
    assert found.buckets["audit"] == "s3://onprem-example-audit"
    assert found.endpoints == {"object-store": "https://objects.hospital.example"}
    assert found.settings["secrets"] == {
        "object-store": "isocenter-object-store",
        "database": "isocenter-database",
    }
    placement = found.settings["gpu"]["a100-40"]
    assert placement["resource"] == "nvidia.com/gpu"
    assert placement["tolerations"][0]["effect"] == "NoSchedule"
    assert found.settings["runtime_class"] == "isocenter-onprem-example-gpu"
    assert any("audit policy" in sentence for sentence in found.by_platform)
    assert any("7 years" in sentence for sentence in found.by_platform)


def test_what_the_descriptor_names_is_made(document: Document) -> None:
    settings = parse_descriptor(_described(document)).settings
    assert set(settings["priority_classes"].values()) == set(of_kind(document, "PriorityClass"))
    assert settings["runtime_class"] in of_kind(document, "RuntimeClass")
    assert set(settings["volumes"].values()) == set(of_kind(document, "PersistentVolumeClaim"))
    assert settings["namespace"] in of_kind(document, "Namespace")


def test_buckets_below_an_object_store_s_uri() -> None:
    store = "s3://imaging/isocenter/"
    found = parse_descriptor(_described(synthesized(onprem__object_store=store)))
    assert found.buckets["data"] == "s3://imaging/isocenter/onprem-example-data"
    assert found.endpoints == {}
    other = parse_descriptor(_described(synthesized(onprem__object_store=store, prefix="ward-b")))
    assert not set(found.buckets.values()) & set(other.buckets.values())


def test_state_lies_in_a_namespace_that_no_workload_reaches(document: Document) -> None:
    (backend,) = document["terraform"]["backend"].items()
    assert backend[0] == "kubernetes"
    assert backend[1]["namespace"] == "isocenter-onprem-example-tfstate"
    assert backend[1]["config_context"] == "hospital-imaging"
    state = synthesized(stack="state")
    assert set(of_kind(state, "Namespace")) == {"isocenter-onprem-example-tfstate"}
    assert of_kind(state, "ResourceQuota")["no-pods"]["spec"]["hard"]["pods"] == "0"
    assert not of_kind(state, "Role")
    assert validate_manifests(state) == ()


def test_labels_stand_on_everything(document: Document) -> None:
    for manifest in manifests(document).values():
        if manifest["metadata"]["name"] != "default":
            assert manifest["metadata"]["labels"]["deployment"] == "onprem-example", manifest["kind"]


def test_no_path_of_this_machine_is_in_the_document(document: Document) -> None:
    assert str(Path(__file__).parents[2]) not in json.dumps(document)


# --- Kubernetes' schemas ---


@pytest.mark.parametrize("version", ["1.31", "1.34", "1.37"])
def test_manifests_are_valid(document: Document, version: str) -> None:
    assert len(manifests(document)) > 30
    assert validate_manifests(document, version) == ()


def _broken(
    document: Document, kind: str, name: str, change: Callable[[dict[str, Any]], object]
) -> tuple[Document, str]:
    changed = copy.deepcopy(document)
    (body,) = [
        body
        for body in changed["resource"][kind].values()
        if body["//"]["metadata"]["path"].endswith(f"/{name}")
    ]
    change(body)
    return changed, body["//"]["metadata"]["source"]


BREAKS: dict[str, tuple[str, str, Callable[[dict[str, Any]], object], str]] = {
    "unknown field": (
        "kubernetes_network_policy_v1",
        "dns",
        lambda body: body["spec"].update(pod_selectr={}),
        "podSelectr",
    ),
    "missing field": (
        "kubernetes_role_binding_v1",
        "auditor-binding",
        lambda body: body.pop("role_ref"),
        "roleRef",
    ),
    "wrong type": (
        "kubernetes_priority_class_v1",
        "serving",
        lambda body: body.update(value="high"),
        "value: 'high'",
    ),
    "amount": (
        "kubernetes_resource_quota_v1",
        "compute",
        lambda body: body["spec"]["hard"].update(pods="many"),
        "spec.hard.pods: 'many'",
    ),
    "name": (
        "kubernetes_persistent_volume_claim_v1",
        "models",
        lambda body: body["metadata"].update(name="My_Models"),
        "'My_Models'",
    ),
    "label": (
        "kubernetes_service_account_v1",
        "training-account",
        lambda body: body["metadata"]["labels"].update(owner="a@b"),
        "'a@b'",
    ),
    "dangling reference": (
        "kubernetes_limit_range_v1",
        "limits",
        lambda body: body["metadata"].update(namespace="${kubernetes_namespace_v1.gone.metadata[0].name}"),
        "refers to a resource that isn't there",
    ),
    "manifest": (
        "kubernetes_manifest",
        "ValidatingAdmissionPolicyBinding",
        lambda body: body["manifest"]["spec"].update(validationAction=["Deny"]),
        "validationAction",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_manifest_is_found_with_its_source_line(document: Document, name: str) -> None:
    kind, path, change, said = BREAKS[name]
    changed, source = _broken(document, kind, path, change)
    (fault,) = validate_manifests(changed)
    assert said in fault.sentence
    assert fault.address.startswith(f"{kind}.")
    assert fault.source == source
    file, line = source.split(":")
    assert file.startswith("onprem/")
    assert int(line) > 1


def test_a_kind_that_is_not_checked_is_a_fault(document: Document) -> None:
    document["resource"]["kubernetes_secret_v1"] = {
        "x": {"data": {}, "//": {"metadata": {"path": "x", "source": "x.py:1"}}}
    }
    (fault,) = validate_manifests(document)
    assert "no kind that is checked" in fault.sentence


# --- settings ---


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("size: a100-40", "size: a100-48", "Nearest: a100-"),
        ("allowed_egress: [10.10.4.0/24]", "allowed_egress: [0.0.0.0/0]", "no private range"),
        ("context: hospital-imaging", "context: x\n  auditors: system:authenticated", "group of Kubernetes"),
        ("context: hospital-imaging", "context: x\n  volumes: {datasets: 5}", "datasets_gib"),
    ],
)
def test_settings_that_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "wrong.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_settings(path)
