"""The Azure stack, synthesized for real: what would hurt if wrong, and that parity sees each change."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

pytest.importorskip("cdktn_provider_azurerm", reason="LACKS: the bindings of Azure (infra[azure])")


from isocenter.errors import InputError
from isocenter.targets.settings import AzureSettings, DeploymentSettings
from isocenter.targets.settings_file import read_settings
from isocenter_infra.bindings.arguments import read_arguments
from isocenter_infra.bindings.cut_cache import cut_tarball
from isocenter_infra.change.schema_check import check_schema
from isocenter_infra.deployment import Deployment
from isocenter_infra.descriptor import parse_descriptor
from isocenter_infra.parity import CONTROLS, check_parity
from isocenter_infra.parity.azure import REQUIREMENTS
from isocenter_infra.synthesis import stack_submodules, synthesize

Document = dict[str, Any]
EXAMPLE = Path(__file__).parents[2] / "deployments" / "azure-example.yaml"
ACCOUNT, RULE = "azurerm_storage_account", "azurerm_network_security_rule"
SIX_YEARS_DAYS = 6 * 365 + 2
GROUPS = {"endpoints", "workloads", "nodes", "api-server"}


def synthesized(settings: DeploymentSettings, *, stack: str = "main", **options: Any) -> Document:
    return synthesize(Deployment(settings, **options), lambda _: None, stack=stack).document


@pytest.fixture(scope="session")
def settings() -> DeploymentSettings:
    return read_settings(EXAMPLE)


@pytest.fixture(scope="session")
def document(settings: DeploymentSettings) -> Document:
    return synthesized(settings)


@pytest.fixture(scope="session")
def plain(settings: DeploymentSettings) -> Document:
    """Without the options."""
    off = {"kubernetes": False, "notebooks": False}
    compute = settings.compute.model_copy(update=off)
    return synthesized(settings.model_copy(update={"compute": compute, "endpoints": ()}))


@pytest.fixture(scope="session")
def state(settings: DeploymentSettings) -> Document:
    return synthesized(settings, stack="state")


def resources(document: Document, kind: str, path: str = "*") -> dict[str, dict[str, Any]]:
    """Bodies by construct path without the stack's name."""
    found = document["resource"].get(kind, {}).values()
    bodies = {body["//"]["metadata"]["path"].partition("/")[2]: body for body in found}
    return {place: body for place, body in bodies.items() if fnmatchcase(place, path)}


def one(document: Document, kind: str, path: str) -> dict[str, Any]:
    (body,) = resources(document, kind, path).values()
    return body


class TestDocument:
    def test_every_control_is_true(self, document: Document) -> None:
        assert check_parity("azure", document) == ()

    def test_every_control_has_a_requirement(self) -> None:
        assert {r.control for r in REQUIREMENTS} == {control.number for control in CONTROLS}

    def test_every_argument_is_known_to_the_provider(
        self, document: Document, state: Document, settings: DeploymentSettings
    ) -> None:
        used = stack_submodules(settings.cloud)
        table = read_arguments([cut_tarball(name, parts, lambda _: None) for name, parts in used.items()])
        assert check_schema(document, table) == ()
        assert check_schema(state, table) == ()

    def test_each_resource_names_its_source(self, document: Document) -> None:
        for kind in document["resource"]:
            for place, body in resources(document, kind).items():
                assert re.fullmatch(r"(azure/\w+|workloads)\.py:\d+", body["//"]["metadata"]["source"]), place

    def test_its_output_is_a_descriptor(self, document: Document, settings: DeploymentSettings) -> None:
        described = parse_descriptor(json.dumps(document["output"]["descriptor"]["value"]))
        assert described.backend == "azureml"
        assert set(described.buckets) == {"data", "models", "audit", "logs"}
        assert set(described.keys) == {"data", "audit", "registry", "secrets"}
        roles = {"training", "serving", "pipeline", "ci-plan", "ci-deploy", "auditor", "break-glass"}
        assert set(described.identities) == roles
        assert [gpu.machine for gpu in described.gpu] == [
            "Standard_NV36ads_A10_v5",
            "Standard_NC96ads_A100_v4",
        ]
        bounds = described.endpoint_bounds["chest-xray"]
        assert (bounds.min_instances, bounds.max_instances) == (1, 4)
        clusters = resources(document, "azurerm_machine_learning_compute_cluster").values()
        named = {cluster["name"] for cluster in described.settings["clusters"]}
        assert named == {cluster["name"] for cluster in clusters}

    def test_names_fit_azures_limits(self, document: Document) -> None:
        for body in resources(document, ACCOUNT).values():
            assert re.fullmatch(r"[a-z0-9]{3,24}", body["name"])
        for body in resources(document, "azurerm_key_vault").values():
            assert re.fullmatch(r"[a-z][a-z0-9-]{1,22}[a-z0-9]", body["name"])
            assert "--" not in body["name"]
        for body in resources(document, "azurerm_kubernetes_cluster_node_pool").values():
            assert re.fullmatch(r"[a-z][a-z0-9]{0,11}", body["name"])
        names = [body["name"] for body in resources(document, ACCOUNT).values()]
        assert len(set(names)) == len(names) == 7

    @pytest.mark.parametrize("prefix", ["abc", "a-very-long-name-xy"])
    def test_names_fit_for_short_and_long_deployments(
        self, settings: DeploymentSettings, prefix: str
    ) -> None:
        named = settings.model_copy(update={"name": prefix})
        found = synthesized(named)
        assert all(
            re.fullmatch(r"[a-z0-9]{3,24}", body["name"]) for body in resources(found, ACCOUNT).values()
        )
        assert all(len(b["name"]) <= 24 for b in resources(found, "azurerm_key_vault").values())
        (notebook,) = resources(found, "azurerm_machine_learning_compute_instance").values()
        assert 3 <= len(notebook["name"]) <= 24


class TestSecrets:
    def test_no_value_lies_in_the_document(self, document: Document) -> None:
        for body in resources(document, "azurerm_key_vault_secret").values():
            assert "value" not in body
            assert body["value_wo"].startswith("${ephemeral.random_password.")
        assert document["terraform"]["required_providers"]["random"]["source"] == "hashicorp/random"

    def test_each_reference_to_a_random_value_leads_somewhere(self, document: Document) -> None:
        made = {
            f"${{ephemeral.random_password.{name}.result}}"
            for name in document["ephemeral"]["random_password"]
        }
        assert {b["value_wo"] for b in resources(document, "azurerm_key_vault_secret").values()} == made

    def test_a_pull_request_can_read_neither_secrets_nor_data(self, document: Document) -> None:
        held = grants_of(document, "ci-plan")
        assert {grant.get("role_definition_name") for grant in held} <= {
            None,
            "Key Vault Reader",
            "Storage Blob Data Reader",
        }
        (reads,) = [g for g in held if g.get("role_definition_name") == "Storage Blob Data Reader"]
        assert reads["scope"].endswith("/containers/tfstate")


def grants_of(document: Document, role: str) -> list[dict[str, Any]]:
    principal = re.compile(
        rf"\$\{{azurerm_user_assigned_identity\.identity_{role}_[0-9A-F]+\.principal_id\}}"
    )
    grants = resources(document, "azurerm_role_assignment").values()
    return [grant for grant in grants if principal.fullmatch(grant["principal_id"])]


class TestStorage:
    def test_audit_is_locked_for_six_years(self, document: Document, settings: DeploymentSettings) -> None:
        locks = resources(document, "azurerm_storage_container_immutability_policy")
        assert set(locks) == {"audit/lock", "audit/arriving-lock"}
        for lock in locks.values():
            assert lock["locked"] is True
            assert lock["immutability_period_in_days"] == settings.retention.audit_years * 366
            assert lock["immutability_period_in_days"] >= SIX_YEARS_DAYS

    def test_every_container_that_logs_arrive_in_is_locked(self, document: Document) -> None:
        settings = resources(document, "azurerm_monitor_diagnostic_setting").values()
        to_audit = [s for s in settings if "storage_account.audit_" in s.get("storage_account_id", "")]
        wanted = {f"insights-logs-{log['category'].lower()}" for s in to_audit for log in s["enabled_log"]}
        lock = one(document, "azurerm_storage_container_immutability_policy", "audit/arriving-lock")
        made = one(document, "azurerm_storage_container", "audit/arriving")
        locked = set(re.findall(r'"([a-z-]+)"', lock["for_each"]))
        assert lock["for_each"] == made["for_each"]
        assert wanted <= locked
        exported = one(document, "azurerm_log_analytics_data_export_rule", "audit/export")["table_names"]
        assert {f"am-{table.lower()}" for table in exported} <= locked
        assert len(wanted) > 20

    def test_container_names_are_legal(self, document: Document) -> None:
        made = one(document, "azurerm_storage_container", "audit/arriving")
        names = json.loads(made["for_each"].removeprefix("${toset(").removesuffix(")}"))
        assert all(re.fullmatch(r"[a-z0-9](-?[a-z0-9]){2,62}", name) for name in names)
        assert names == sorted(set(names))

    def test_each_account_has_a_key_of_ours(self, document: Document) -> None:
        for place, body in resources(document, ACCOUNT).items():
            key = body["customer_managed_key"]["key_vault_key_id"]
            assert key.startswith("${azurerm_key_vault_key.keys_"), place
            assert key.endswith(".versionless_id}"), place

    def test_the_copies_lie_elsewhere_under_another_key(
        self, document: Document, settings: DeploymentSettings
    ) -> None:
        copies = resources(document, ACCOUNT, "storage/*-copy/account")
        assert len(copies) == 2
        for copy_ in copies.values():
            assert settings.azure is not None
            assert copy_["location"] == settings.azure.replica_region != settings.region
            assert "keys_replica_" in copy_["customer_managed_key"]["key_vault_key_id"]

    def test_nothing_is_public_or_has_keys(self, document: Document) -> None:
        for body in resources(document, ACCOUNT).values():
            assert body["public_network_access_enabled"] is False
            assert body["shared_access_key_enabled"] is False
            assert body["network_rules"]["default_action"] == "Deny"
            assert "public_network_access" not in body
        for body in resources(document, "azurerm_storage_container").values():
            assert body["container_access_type"] == "private"

    def test_who_reads_evidence_is_logged_elsewhere(self, document: Document) -> None:
        own = one(document, "azurerm_monitor_diagnostic_setting", "audit/audit")
        assert "storage_account.storage_logs_" in own["storage_account_id"]

    def test_no_log_crosses_to_another_region(self, document: Document) -> None:
        for place in ("audit/data-copy", "audit/models-copy", "audit/copy-keys"):
            assert "storage_account_id" not in one(document, "azurerm_monitor_diagnostic_setting", place)

    def test_every_account_and_vault_is_logged(self, document: Document) -> None:
        targets = [
            setting["target_resource_id"]
            for setting in resources(document, "azurerm_monitor_diagnostic_setting").values()
        ]
        for kind in (ACCOUNT, "azurerm_key_vault", "azurerm_container_registry"):
            for name in document["resource"][kind]:
                assert any(f"{kind}.{name}.id" in target for target in targets), name


class TestNetwork:
    def test_the_last_word_of_each_group_is_no(self, document: Document) -> None:
        rules = resources(document, RULE)
        groups = {rule["network_security_group_name"] for rule in rules.values()}
        assert len(groups) == len(GROUPS)
        for group in groups:
            own = [rule for rule in rules.values() if rule["network_security_group_name"] == group]
            for direction in ("Inbound", "Outbound"):
                ordered = sorted(
                    (rule for rule in own if rule["direction"] == direction), key=lambda r: r["priority"]
                )
                last = ordered[-1]
                assert last["access"] == "Deny"
                assert last["priority"] == 4096
                assert (last["protocol"], last["source_address_prefix"]) == ("*", "*")
                assert (last["destination_address_prefix"], last["destination_port_range"]) == ("*", "*")
                assert len({rule["priority"] for rule in ordered}) == len(ordered)

    def test_nothing_is_let_out_to_the_internet(self, document: Document) -> None:
        tags = set()
        for place, rule in resources(document, RULE).items():
            if rule["access"] == "Allow":
                for end in ("source", "destination"):
                    prefix = rule.get(f"{end}_address_prefix")
                    for address in rule.get(f"{end}_address_prefixes") or [prefix]:
                        if re.match(r"\d", address):
                            assert ip_network(address).is_private, place
                        else:
                            tags.add(address)
        assert tags == {
            "AzureActiveDirectory",
            "AzureResourceManager",
            "MicrosoftContainerRegistry",
            "AzureFrontDoor.FirstParty",
            "AzureMonitor",
            "AzureLoadBalancer",
        }

    def test_workloads_reach_endpoints_only(self, document: Document) -> None:
        out = [
            rule
            for rule in resources(document, RULE, "network/allow-workloads-group-*").values()
            if rule["direction"] == "Outbound"
        ]
        endpoints = one(document, "azurerm_subnet", "network/endpoints")["address_prefixes"]
        assert [rule["destination_address_prefix"] for rule in out] == endpoints

    def test_subnets_lie_apart_within_the_network(
        self, document: Document, settings: DeploymentSettings
    ) -> None:
        ranges = [
            ip_network(body["address_prefixes"][0]) for body in resources(document, "azurerm_subnet").values()
        ]
        assert len(ranges) == len(GROUPS)
        assert all(found.subnet_of(settings.network.cidr) for found in ranges)  # type: ignore[arg-type]
        assert not any(a.overlaps(b) for n, a in enumerate(ranges) for b in ranges[n + 1 :])

    def test_each_subnet_has_a_group(self, document: Document) -> None:
        bound = {
            association["subnet_id"]
            for association in resources(
                document, "azurerm_subnet_network_security_group_association"
            ).values()
        }
        assert bound == {f"${{azurerm_subnet.{name}.id}}" for name in document["resource"]["azurerm_subnet"]}

    def test_each_private_thing_has_an_endpoint(self, document: Document) -> None:
        reached = [
            endpoint["private_service_connection"]["private_connection_resource_id"]
            for endpoint in resources(document, "azurerm_private_endpoint").values()
        ]
        kinds = (
            ACCOUNT,
            "azurerm_key_vault",
            "azurerm_container_registry",
            "azurerm_machine_learning_workspace",
        )
        for kind in kinds:
            for name in document["resource"][kind]:
                assert f"${{{kind}.{name}.id}}" in reached

    def test_keys_are_made_once_their_vault_can_be_reached(self, document: Document) -> None:
        for body in resources(document, "azurerm_key_vault_key").values():
            assert any(place.startswith("azurerm_private_endpoint.") for place in body["depends_on"])
            assert not any("${" in place for place in body["depends_on"])

    def test_a_machine_has_no_public_address(self, document: Document, plain: Document) -> None:
        assert set(resources(document, "azurerm_public_ip")) == {"kubernetes/address"}
        assert resources(plain, "azurerm_public_ip") == {}
        text = json.dumps(document["resource"])
        assert '"node_public_ip_enabled": true' not in text


class TestIdentity:
    def test_workflows_are_trusted_by_their_exact_subject(self, document: Document) -> None:
        trusted = {
            place: body["subject"]
            for place, body in resources(document, "azurerm_federated_identity_credential").items()
        }
        repository = "repo:hospital-example/isocenter"
        assert trusted == {
            "identity/ci-plan-github": f"{repository}:pull_request",
            "identity/ci-deploy-github": f"{repository}:environment:production",
            "identity/auditor-github": f"{repository}:environment:auditor",
            "identity/break-glass-github": f"{repository}:environment:break-glass",
            "kubernetes/training-pods": "system:serviceaccount:isocenter:training",
            "kubernetes/serving-pods": "system:serviceaccount:isocenter:serving",
        }

    def test_no_grant_is_of_everything_or_everywhere(self, document: Document) -> None:
        for place, grant in resources(document, "azurerm_role_assignment").items():
            assert grant.get("role_definition_name") not in {
                "Owner",
                "Contributor",
                "User Access Administrator",
                "Reader and Data Access",
            }
            if grant["scope"].startswith("/subscriptions/") and "/providers/" not in grant["scope"]:
                assert place in {"identity/ci-plan-around", "identity/ci-deploy-around"}

    def test_no_role_has_a_wildcard(self, document: Document) -> None:
        for role in resources(document, "azurerm_role_definition").values():
            (permissions,) = role["permissions"]
            for action in (*permissions["actions"], *permissions.get("data_actions", ())):
                assert "*" not in action

    def test_a_workflow_cant_raise_itself(self, document: Document) -> None:
        for role in ("deployer", "warden"):
            (permissions,) = one(document, "azurerm_role_definition", f"identity/{role}-role")["permissions"]
            for forbidden in (
                "Microsoft.Authorization/roleDefinitions/write",
                "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
                "Microsoft.Authorization/elevateAccess/action",
            ):
                assert forbidden not in permissions["actions"]
            if role == "deployer":
                assert "Microsoft.Authorization/roleAssignments/write" in permissions["actions"]
        for where in ("here", "there"):
            condition = one(document, "azurerm_role_assignment", f"identity/ci-deploy-{where}")["condition"]
            assert "identity_ci-deploy_" in condition
            assert condition.count("(") == condition.count(")")

    def test_a_workflow_cant_remove_data_keys_or_logs(self, document: Document) -> None:
        (permissions,) = one(document, "azurerm_role_definition", "identity/deployer-role")["permissions"]
        removed = {action for action in permissions["actions"] if action.endswith("/delete")}
        precious = (
            "Storage",
            "KeyVault",
            "Authorization",
            "OperationalInsights/workspaces",
            "ContainerRegistry",
        )
        assert not [a for a in removed if any(f"Microsoft.{kind}" in a for kind in precious)]
        assert removed

    def test_training_reads_patient_data_and_no_more(self, document: Document) -> None:
        on_data = [g for g in grants_of(document, "training") if "storage_data_" in g["scope"]]
        assert [grant["role_definition_name"] for grant in on_data] == ["Storage Blob Data Reader"]
        assert not [g for g in grants_of(document, "serving") if "storage_data_" in g["scope"]]

    def test_the_auditor_sees_no_patient_data(self, document: Document) -> None:
        scopes = [grant["scope"] for grant in grants_of(document, "auditor")]
        assert not [s for s in scopes if "storage_data_" in s or "storage_models_" in s]

    def test_break_glass_reaches_no_log_and_its_use_is_alarmed(self, document: Document) -> None:
        assert not [g for g in grants_of(document, "break-glass") if "audit" in g["scope"]]
        alarm = one(document, "azurerm_monitor_scheduled_query_rules_alert_v2", "guard/break-glass")
        assert alarm["severity"] == 0
        assert "identity_break-glass_" in alarm["criteria"][0]["query"]

    def test_who_pushes_an_image_cant_release_it(self, document: Document) -> None:
        roles = {grant.get("role_definition_name") for grant in grants_of(document, "ci-deploy")}
        assert "AcrPush" in roles
        assert "AcrQuarantineWriter" not in roles


class TestCompute:
    def test_clusters_are_empty_when_idle(self, document: Document, settings: DeploymentSettings) -> None:
        clusters = resources(document, "azurerm_machine_learning_compute_cluster")
        assert len(clusters) == len(settings.compute.gpu)
        for cluster in clusters.values():
            assert cluster["scale_settings"]["min_node_count"] == 0
            assert "ssh" not in cluster
            assert "subnet_resource_id" not in cluster
        sizes = {c["vm_size"]: c["vm_priority"] for c in clusters.values()}
        assert sizes == {
            "Standard_NV36ads_A10_v5": "LowPriority",
            "Standard_NC96ads_A100_v4": "Dedicated",
        }

    def test_gpu_nodes_are_tainted_and_start_from_none(self, document: Document) -> None:
        pools = resources(document, "azurerm_kubernetes_cluster_node_pool")
        assert {(pool["name"], pool["min_count"], pool["max_count"]) for pool in pools.values()} == {
            ("a10x1s", 0, 4),
            ("a10080x4", 0, 1),
        }
        spot = next(pool for pool in pools.values() if pool["name"] == "a10x1s")
        assert (spot["priority"], spot["spot_max_price"]) == ("Spot", -1)

    def test_options_off_leave_their_resources_out(self, plain: Document) -> None:
        assert check_parity("azure", plain) == ()
        kinds = set(plain["resource"])
        assert not [kind for kind in kinds if "kubernetes" in kind or "helm" in kind or "nat_gateway" in kind]
        assert "azurerm_machine_learning_compute_instance" not in kinds
        assert set(resources(plain, "azurerm_subnet")) == {"network/endpoints", "network/workloads"}
        assert "helm" not in plain["provider"]

    def test_turning_kubernetes_on_moves_no_subnet(self, document: Document, plain: Document) -> None:
        for place, subnet in resources(plain, "azurerm_subnet").items():
            assert subnet["address_prefixes"] == one(document, "azurerm_subnet", place)["address_prefixes"]


class TestState:
    def test_is_encrypted_versioned_and_reached_from_one_subnet(
        self, state: Document, settings: DeploymentSettings
    ) -> None:
        assert settings.azure is not None
        account = one(state, ACCOUNT, "bucket/account")
        assert account["customer_managed_key"]["key_vault_key_id"].startswith("${azurerm_key_vault_key.")
        assert account["blob_properties"]["versioning_enabled"] is True
        assert account["shared_access_key_enabled"] is False
        assert account["network_rules"]["default_action"] == "Deny"
        assert account["network_rules"]["virtual_network_subnet_ids"] == [settings.azure.runner_subnet]
        assert one(state, "azurerm_storage_container", "bucket/container")["name"] == "tfstate"

    def test_the_stack_keeps_its_state_there(self, document: Document, state: Document) -> None:
        backend = document["terraform"]["backend"]["azurerm"]
        assert backend["storage_account_name"] == one(state, ACCOUNT, "bucket/account")["name"]
        assert backend["resource_group_name"] == one(state, "azurerm_resource_group", "*")["name"]
        assert backend["use_azuread_auth"] is True
        assert not {"access_key", "sas_token", "client_secret"} & set(backend)

    def test_lies_beside_the_stack_before_there_is_one(self, settings: DeploymentSettings) -> None:
        local = synthesized(settings, stack="state", remote_state=False)
        assert local["terraform"]["backend"] == {"local": {"path": "terraform.tfstate"}}

    @pytest.mark.parametrize("subnet", ["terraform", "/subscriptions/x", "/virtualNetworks/a/subnets/b"])
    def test_what_is_no_subnet_is_refused(self, settings: DeploymentSettings, subnet: str) -> None:
        assert settings.azure is not None
        with pytest.raises(ValidationError, match="runner_subnet"):
            AzureSettings.model_validate(settings.azure.model_dump() | {"runner_subnet": subnet})

    def test_without_a_subnet_to_run_in_it_says_so(self, settings: DeploymentSettings) -> None:
        assert settings.azure is not None
        azure = settings.azure.model_copy(update={"runner_subnet": ""})
        alone = settings.model_copy(update={"azure": azure})
        with pytest.raises(InputError, match=r"azure\.runner_subnet is missing"):
            synthesized(alone, stack="state")
        main = synthesized(alone)
        assert resources(main, "azurerm_virtual_network_peering") == {}
        assert check_parity("azure", main) == ()


def protections(document: Document) -> Iterator[str]:
    for kind in document["resource"]:
        for place, body in resources(document, kind).items():
            if body.get("lifecycle", {}).get("prevent_destroy"):
                yield f"{kind} {place}"


def test_a_forced_destroy_lifts_the_protection(document: Document, settings: DeploymentSettings) -> None:
    assert len(list(protections(document))) > 30
    forced = synthesized(settings, protect=False)
    assert list(protections(forced)) == []
    assert "azurerm_management_lock" not in forced["resource"]
    # What is locked by law stays locked: Azure refuses to delete it until its time is over.
    for lock in resources(forced, "azurerm_storage_container_immutability_policy").values():
        assert lock["locked"] is True


def test_the_same_settings_give_the_same_bytes(document: Document, settings: DeploymentSettings) -> None:
    assert json.dumps(synthesized(settings), sort_keys=True) == json.dumps(document, sort_keys=True)
