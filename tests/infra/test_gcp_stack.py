"""The Google Cloud stack, really synthesized: what would hurt if wrong, and that parity sees each change."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from pydantic import ValidationError

pytest.importorskip("cdktn_provider_google", reason="LACKS: the bindings of Google Cloud (infra[gcp])")

from infra_examples import example

from isocenter.clouds.offer import cloud_offer
from isocenter.targets.settings import DeploymentSettings, EndpointSettings, GcpSettings, GpuSettings
from isocenter_infra.bindings.arguments import read_arguments
from isocenter_infra.bindings.cut_cache import cut_tarball
from isocenter_infra.change.schema_check import check_schema
from isocenter_infra.deployment import Deployment
from isocenter_infra.descriptor import parse_descriptor
from isocenter_infra.gcp.alarms import alarms
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.parity import CONTROLS, check_parity
from isocenter_infra.parity.gcp import REQUIREMENTS
from isocenter_infra.synthesis import stack_submodules, synthesize

Document = dict[str, Any]
SIX_YEARS_DAYS = 6 * 365 + 2
DAY_S = 86_400
BUCKET, ACCESS, FIREWALL = (
    "google_storage_bucket",
    "google_storage_bucket_iam_policy",
    "google_compute_firewall",
)
POLICY, GRANT, ACCOUNT = "google_org_policy_policy", "google_project_iam_member", "google_service_account"
ROLES = {"training", "serving", "pipeline", "ci-plan", "ci-deploy", "auditor", "break-glass"}


def synthesized(settings: DeploymentSettings, *, stack: str = "main", **options: Any) -> Document:
    return synthesize(Deployment(settings, **options), lambda _: None, stack=stack).document


@pytest.fixture(scope="session")
def settings() -> DeploymentSettings:
    return example("gcp")


@pytest.fixture(scope="session")
def document(settings: DeploymentSettings) -> Document:
    return synthesized(settings)


@pytest.fixture(scope="session")
def plain(settings: DeploymentSettings) -> Document:
    """Without the options."""
    compute = settings.compute.model_copy(update={"kubernetes": False, "notebooks": False})
    return synthesized(settings.model_copy(update={"compute": compute, "endpoints": ()}))


@pytest.fixture(scope="session")
def state(settings: DeploymentSettings) -> Document:
    return synthesized(settings, stack="state")


def resources(document: Document, kind: str, path: str = "*") -> dict[str, dict[str, Any]]:
    """Bodies by construct path without the stack's name."""
    found = document["resource"].get(kind, {}).values()
    bodies = {body["//"]["metadata"]["path"].partition("/")[2]: body for body in found}
    return {place: body for place, body in bodies.items() if fnmatchcase(place, path)}


def one(document: Document, kind: str, path: str = "*") -> dict[str, Any]:
    (body,) = resources(document, kind, path).values()
    return body


def everything(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for kind in document["resource"]:
        for place, body in resources(document, kind).items():
            yield kind, place, body


class TestDocument:
    def test_every_control_is_true(self, document: Document) -> None:
        assert check_parity("gcp", document) == ()

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
        for _, place, body in everything(document):
            assert re.fullmatch(r"(gcp/\w+|workloads)\.py:\d+", body["//"]["metadata"]["source"]), place

    def test_its_output_is_a_descriptor(self, document: Document) -> None:
        described = parse_descriptor(json.dumps(document["output"]["descriptor"]["value"]))
        assert described.backend == "vertex"
        assert set(described.buckets) == {"data", "models", "audit", "logs"}
        assert all(uri.startswith("gs://") for uri in described.buckets.values())
        assert set(described.keys) == {"data", "audit", "registry", "secrets"}
        assert set(described.identities) == ROLES
        assert [gpu.machine for gpu in described.gpu] == ["g2-standard-8", "a2-ultragpu-8g"]
        assert described.registry == "europe-west4-docker.pkg.dev/hospital-imaging-prod/gcp-example"
        assert described.workspace == "projects/hospital-imaging-prod/locations/europe-west4"
        assert set(described.endpoint_bounds) == {"chest-xray"}

    def test_labels_are_those_of_the_settings(self, document: Document, settings: DeploymentSettings) -> None:
        (provider,) = document["provider"]["google"]
        assert provider["default_labels"] == settings.labels
        assert "cost_centre" not in provider["default_labels"]

    @pytest.mark.parametrize("name", ["abc", "a-very-long-name-xy1"])
    def test_names_fit_for_short_and_long_deployments(self, settings: DeploymentSettings, name: str) -> None:
        found = synthesized(settings.model_copy(update={"name": name}))
        assert check_parity("gcp", found) == ()
        for body in resources(found, ACCOUNT).values():
            assert re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", body["account_id"])
        for body in resources(found, BUCKET).values():
            assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", body["name"])
        assert re.fullmatch(
            r"[a-z][a-z0-9-]{2,30}[a-z0-9]",
            one(found, "google_iam_workload_identity_pool")["workload_identity_pool_id"],
        )
        # Names of such rules allow no dash and no more than 20 characters.
        assert re.fullmatch(
            r"[a-z][a-z0-9]{0,19}", one(found, "google_compute_global_forwarding_rule")["name"]
        )
        for body in resources(found, "google_project_iam_custom_role").values():
            assert re.fullmatch(r"[a-zA-Z0-9_.]{3,64}", body["role_id"])
        assert re.fullmatch(
            r"[a-z][a-z0-9-]{3,62}",
            one(found, "google_privileged_access_manager_entitlement")["entitlement_id"],
        )

    def test_no_secret_lies_in_the_document(self, document: Document) -> None:
        kinds = set(document["resource"])
        assert not kinds & {
            "google_secret_manager_secret_version",
            "google_service_account_key",
            "google_storage_hmac_key",
        }
        assert "access_token" not in json.dumps(document)


class TestKeys:
    def test_each_is_in_an_hsm_and_changes_every_90_days(self, document: Document) -> None:
        keys = resources(document, "google_kms_crypto_key", "keys/*")
        assert set(keys) == {
            f"keys/{name}/key" for name in ("data", "audit", "registry", "secrets", "replica")
        }
        for key in keys.values():
            assert key["rotation_period"] == f"{90 * DAY_S}s"
            assert key["version_template"]["protection_level"] == "HSM"

    def test_the_copies_key_lies_in_the_second_region(
        self, document: Document, settings: DeploymentSettings
    ) -> None:
        rings = resources(document, "google_kms_key_ring")
        assert rings["keys/ring"]["location"] == settings.region == "europe-west4"
        assert rings["keys/replica-ring"]["location"] == "europe-west1"

    def test_only_google_services_of_this_project_use_them(self, document: Document) -> None:
        members = {
            b["member"] for b in resources(document, "google_kms_crypto_key_iam_member", "keys/*").values()
        }
        number = r"(service|project)-123456789012@[a-z-]+\.iam\.gserviceaccount\.com"
        logging = r"\$\{data\.google_logging_project_cmek_settings\.[\w-]+\.service_account_id\}"
        assert all(re.fullmatch(f"serviceAccount:({number}|{logging})", member) for member in members)

    def test_nothing_encrypted_is_made_before_its_key_may_be_used(self, document: Document) -> None:
        for place, bucket in resources(document, BUCKET).items():
            key = re.search(
                r"google_kms_crypto_key\.(keys_\w+?)_key_", bucket["encryption"]["default_kms_key_name"]
            )
            assert key, place
            waited = [
                name
                for name in bucket["depends_on"]
                if f"google_kms_crypto_key_iam_member.{key[1]}_storage" in name
            ]
            assert waited, place


class TestStorage:
    def test_each_bucket_is_private_and_encrypted(self, document: Document) -> None:
        buckets = resources(document, BUCKET)
        assert len(buckets) == 6
        for place, bucket in buckets.items():
            assert bucket["public_access_prevention"] == "enforced", place
            assert bucket["uniform_bucket_level_access"] is True, place
            assert bucket["encryption"]["default_kms_key_name"].startswith("${google_kms_crypto_key.keys_"), (
                place
            )
            assert bucket["soft_delete_policy"]["retention_duration_seconds"] >= 7 * DAY_S, place

    def test_audit_is_locked_for_six_years(self, document: Document, settings: DeploymentSettings) -> None:
        locked = one(document, BUCKET, "audit/bucket/bucket")
        retention = locked["retention_policy"]
        assert retention["is_locked"] is True
        assert int(retention["retention_period"]) / DAY_S == settings.retention.audit_years * 366
        assert int(retention["retention_period"]) / DAY_S >= SIX_YEARS_DAYS
        # Cloud Storage refuses versions and a retention policy on one bucket.
        assert "versioning" not in locked

    def test_other_buckets_have_versions(self, document: Document) -> None:
        for place, bucket in resources(document, BUCKET, "storage/*").items():
            assert bucket["versioning"] == {"enabled": True}, place
            assert "retention_policy" not in bucket, place

    def test_every_bucket_has_a_whole_list_of_who_may_touch_it(self, document: Document) -> None:
        listed = {body["bucket"] for body in resources(document, ACCESS).values()}
        assert len(listed) == len(resources(document, BUCKET))

    def test_patient_data_is_read_by_three_accounts(self, document: Document) -> None:
        members = members_of(document, "data")
        roles = {role for member in members for role in [member_role(member)]}
        assert roles == {"training", "pipeline", "serving", "transfer"}
        bindings = json.loads(one(document, ACCESS, "identity/access/data")["policy_data"])["bindings"]
        (capture,) = [binding for binding in bindings if "condition" in binding]
        assert capture["role"] == "roles/storage.objectCreator"
        assert capture["condition"]["expression"].endswith('-data/objects/capture/")')

    def test_nobody_can_delete_audit_logs(self, document: Document) -> None:
        bindings = json.loads(one(document, ACCESS, "identity/access/audit")["policy_data"])["bindings"]
        assert {b["role"] for b in bindings} == {"roles/storage.objectCreator", "roles/storage.objectViewer"}
        (written,) = [b["members"] for b in bindings if b["role"].endswith("objectCreator")]
        assert [m.startswith("${google_logging_project_sink.audit_archive_") for m in written] == [True]

    def test_nothing_is_public(self, document: Document) -> None:
        text = json.dumps(document["resource"])
        assert "allUsers" not in text
        assert "allAuthenticatedUsers" not in text
        assert "projectViewer" not in text

    def test_copies_are_never_deleted(self, document: Document) -> None:
        jobs = resources(document, "google_storage_transfer_job")
        assert set(jobs) == {"guard/copies/data", "guard/copies/models"}
        for job in jobs.values():
            options = job["transfer_spec"]["transfer_options"]
            assert options["delete_objects_unique_in_sink"] is False
            assert options["delete_objects_from_source_after_transfer"] is False
            assert "-copy_" in job["transfer_spec"]["gcs_data_sink"]["bucket_name"]
        for bucket in resources(document, BUCKET, "storage/*-copy/bucket").values():
            assert bucket["location"] == "europe-west1"
            assert "keys_replica" in bucket["encryption"]["default_kms_key_name"]


def members_of(document: Document, bucket: str) -> set[str]:
    bindings = json.loads(one(document, ACCESS, f"identity/access/{bucket}")["policy_data"])["bindings"]
    return {member for binding in bindings for member in binding["members"]}


def member_role(member: str) -> str:
    found = re.match(r"\$\{google_service_account\.identity_([a-z-]+)_", member)
    return found[1] if found else "transfer" if "@storage-transfer-service." in member else member


class TestAudit:
    def test_every_read_and_write_of_everybody_is_recorded(self, document: Document) -> None:
        record = one(document, "google_project_iam_audit_config")
        assert record["service"] == "allServices"
        assert record["audit_log_config"] == [
            {"log_type": "ADMIN_READ"},
            {"log_type": "DATA_READ"},
            {"log_type": "DATA_WRITE"},
        ]

    def test_logs_are_kept_twice_and_locked(self, document: Document) -> None:
        log_bucket = one(document, "google_logging_project_bucket_config")
        assert log_bucket["locked"] is True
        assert SIX_YEARS_DAYS <= log_bucket["retention_days"] <= 3650
        assert log_bucket["cmek_settings"]["kms_key_name"].startswith("${google_kms_crypto_key.keys_audit")
        sinks = resources(document, "google_logging_project_sink")
        assert sinks["audit/archive"]["destination"].startswith(
            "storage.googleapis.com/${google_storage_bucket.audit"
        )
        assert sinks["audit/search"]["destination"].startswith(
            "logging.googleapis.com/${google_logging_project_bucket_config"
        )
        for sink in sinks.values():
            assert 'logName:"cloudaudit.googleapis.com"' in sink["filter"]
            assert " AND " not in sink["filter"]

    def test_ten_years_fit_into_the_longest_retention(self, settings: DeploymentSettings) -> None:
        kept = settings.retention.model_copy(update={"audit_years": 10})
        found = synthesized(settings.model_copy(update={"retention": kept}))
        assert one(found, "google_logging_project_bucket_config")["retention_days"] == 3650
        assert check_parity("gcp", found) == ()

    def test_each_alarm_reaches_a_person(self, document: Document, settings: DeploymentSettings) -> None:
        contact = one(document, "google_monitoring_notification_channel", "audit/contact")
        assert contact["labels"] == {"email_address": settings.security_contact}
        found = resources(document, "google_monitoring_alert_policy")
        named = {f"audit/{name}-alarm" for name in alarms(GcpNames.of(Deployment(settings)))}
        assert set(found) == named | {"audit/threats/alarm", "serving/errors"}
        for place, alarm in found.items():
            assert alarm["notification_channels"] == [
                f"${{google_monitoring_notification_channel.{key}.name}}"
                for key in document["resource"]["google_monitoring_notification_channel"]
                if key.startswith("audit_contact")
            ], place

    def test_filters_are_balanced(self, settings: DeploymentSettings) -> None:
        for name, text in alarms(GcpNames.of(Deployment(settings))).items():
            assert text.count('"') % 2 == 0, name
            assert text.count("(") == text.count(")"), name

    def test_places_are_those_of_the_residency(self, document: Document) -> None:
        policy = one(document, POLICY, "audit/posture/gcp-resourceLocations")
        (rule,) = policy["spec"]["rules"]
        assert rule["values"]["allowed_values"] == ["in:europe-west4-locations", "in:europe-west1-locations"]

    @pytest.mark.parametrize(
        "constraint",
        [
            "compute.skipDefaultNetworkCreation",
            "storage.publicAccessPrevention",
            "storage.uniformBucketLevelAccess",
            "storage.secureHttpTransport",
            "iam.disableServiceAccountKeyCreation",
            "iam.disableServiceAccountKeyUpload",
        ],
    )
    def test_policies_of_the_organisation_are_enforced(self, document: Document, constraint: str) -> None:
        policy = one(document, POLICY, f"audit/posture/{constraint.replace('.', '-')}")
        assert policy["name"] == f"projects/hospital-imaging-prod/policies/{constraint}"
        assert policy["spec"] == {"inherit_from_parent": False, "rules": [{"enforce": "TRUE"}]}


class TestNetwork:
    def test_there_is_no_way_out(self, document: Document) -> None:
        assert one(document, "google_compute_network")["delete_default_routes_on_create"] is True
        kinds = set(document["resource"])
        assert not kinds & {
            "google_compute_router",
            "google_compute_router_nat",
            "google_compute_route",
            "google_compute_address",
            "google_compute_vpn_tunnel",
        }
        for address in resources(document, "google_compute_global_address").values():
            assert address["address_type"] == "INTERNAL"

    def test_egress_is_denied_but_for_private_addresses(self, document: Document) -> None:
        rules = resources(document, FIREWALL).values()
        egress = [rule for rule in rules if rule["direction"] == "EGRESS"]
        (denied,) = [rule for rule in egress if "deny" in rule]
        assert denied["destination_ranges"] == ["0.0.0.0/0"]
        assert denied["deny"] == [{"protocol": "all"}]
        for rule in egress:
            if "allow" in rule:
                assert rule["priority"] < denied["priority"]
                assert all(ip_network(cidr).is_private for cidr in rule["destination_ranges"])

    def test_google_answers_at_one_inside_address(self, document: Document) -> None:
        address = one(document, "google_compute_global_address", "network/google/address")["address"]
        subnet = ip_network(one(document, "google_compute_subnetwork")["ip_cidr_range"])
        assert ip_address(address) not in subnet
        assert ip_address(address) in ip_network("10.41.0.0/16")
        assert one(document, "google_compute_global_forwarding_rule")["target"] == "vpc-sc"
        answers = resources(document, "google_dns_record_set", "network/google/*-a")
        assert {record["name"] for record in answers.values()} >= {"googleapis.com.", "gcr.io.", "pkg.dev."}
        assert all(record["rrdatas"] == [address] for record in answers.values())
        rule = one(document, FIREWALL, "network/firewall/to-google")
        assert rule["destination_ranges"] == [f"{address}/32"]
        assert rule["allow"] == [{"protocol": "tcp", "ports": ["443"]}]

    @pytest.mark.parametrize("cidr", ["10.41.0.0/16", "192.168.4.0/22", "172.30.8.0/21"])
    def test_ranges_lie_inside_and_apart(self, settings: DeploymentSettings, cidr: str) -> None:
        whole = ip_network(cidr)
        found = synthesized(
            settings.model_copy(update={"network": settings.network.model_copy(update={"cidr": whole})})
        )
        subnet = ip_network(one(found, "google_compute_subnetwork")["ip_cidr_range"])
        vertex = one(found, "google_compute_global_address", "network/google/vertex-range")
        peered = ip_network(f"{vertex['address']}/{vertex['prefix_length']}")
        address = ip_address(one(found, "google_compute_global_address", "network/google/address")["address"])
        assert subnet.subnet_of(whole) and peered.subnet_of(whole) and address in whole
        assert not subnet.overlaps(peered)
        assert address not in subnet and address not in peered
        assert check_parity("gcp", found) == ()

    def test_every_flow_is_logged(self, document: Document) -> None:
        assert one(document, "google_compute_subnetwork")["log_config"] == {
            "aggregation_interval": "INTERVAL_5_SEC",
            "flow_sampling": 1,
            "metadata": "INCLUDE_ALL_METADATA",
        }
        assert all("log_config" in rule for rule in resources(document, FIREWALL).values())

    def test_the_perimeter_lets_in_named_accounts_only(self, document: Document) -> None:
        status = one(document, "google_access_context_manager_service_perimeter")["status"]
        assert status["resources"] == ["projects/123456789012"]
        assert {"storage.googleapis.com", "aiplatform.googleapis.com", "secretmanager.googleapis.com"} <= set(
            status["restricted_services"]
        )
        assert "egress_policies" not in status
        let_in = [
            identity for p in status["ingress_policies"] for identity in p["ingress_from"]["identities"]
        ]
        assert len(let_in) == 3
        assert all(re.match(r"\$\{google_service_account\.identity_ci-(plan|deploy)_", i) for i in let_in[:2])
        assert "google_scc_v2_project_notification_config" in let_in[2]
        (findings,) = status["ingress_policies"][1]["ingress_to"]["operations"]
        assert findings["service_name"] == "pubsub.googleapis.com"


class TestIdentity:
    def test_there_is_an_account_a_role(self, document: Document) -> None:
        made = set(resources(document, ACCOUNT, "identity/*"))
        assert made == {f"identity/{role}" for role in ROLES - {"break-glass"}}

    def test_github_is_trusted_with_two_exact_subjects(self, document: Document) -> None:
        provider = one(document, "google_iam_workload_identity_pool_provider")
        repository = "hospital-example/isocenter"
        plan, deploy = f"repo:{repository}:pull_request", f"repo:{repository}:environment:production"
        assert provider["attribute_condition"] == (
            f'assertion.repository == "{repository}" && assertion.sub in ["{plan}", "{deploy}"]'
        )
        assert provider["oidc"]["issuer_uri"] == "https://token.actions.githubusercontent.com"
        pool = "projects/123456789012/locations/global/workloadIdentityPools/gcp-example-github"
        assert provider["oidc"]["allowed_audiences"] == [
            f"https://iam.googleapis.com/{pool}/providers/github"
        ]
        grants = resources(document, "google_service_account_iam_member", "identity/github/*")
        assert {place: grant["member"] for place, grant in grants.items()} == {
            "identity/github/ci-plan": f"principal://iam.googleapis.com/{pool}/subject/{plan}",
            "identity/github/ci-deploy": f"principal://iam.googleapis.com/{pool}/subject/{deploy}",
        }
        assert not re.search(r"principalSet://iam|\*", json.dumps([g["member"] for g in grants.values()]))

    def test_no_account_has_a_basic_or_data_role_in_the_project(self, document: Document) -> None:
        roles = {grant["role"] for grant in resources(document, GRANT).values()}
        assert not roles & {"roles/owner", "roles/editor", "roles/viewer"}
        assert not [role for role in roles if re.match(r"roles/(storage|secretmanager)\.", role)]
        assert "roles/iam.securityAdmin" not in roles
        assert "roles/resourcemanager.projectIamAdmin" not in roles

    def test_only_the_deployer_administrates(self, document: Document) -> None:
        for place, grant in resources(document, GRANT).items():
            if re.search(r"(admin|owner|editor)$", grant["role"], re.IGNORECASE):
                assert place.startswith("identity/ci-deploy-"), place

    def test_roles_of_our_own_read_no_data(self, document: Document) -> None:
        for place, role in resources(document, "google_project_iam_custom_role").items():
            for permission in role["permissions"]:
                assert "*" not in permission
                assert not permission.startswith(("storage.objects.", "secretmanager.versions.")), place
        plan = one(document, "google_project_iam_custom_role", "identity/ci-plan-role")
        assert {p.rpartition(".")[2] for p in plan["permissions"]} == {"get", "list", "getIamPolicy"}

    def test_the_pipeline_hands_on_two_accounts(self, document: Document) -> None:
        grants = resources(document, "google_service_account_iam_member").values()
        pipeline = re.compile(r"\$\{google_service_account\.identity_pipeline_")
        used = [g["service_account_id"] for g in grants if pipeline.match(g["member"])]
        assert {re.sub(r".*identity_([a-z]+)_.*", r"\1", name) for name in used} == {"training", "serving"}

    def test_break_glass_needs_a_second_person_and_ends_after_an_hour(
        self, document: Document, settings: DeploymentSettings
    ) -> None:
        entitlement = one(document, "google_privileged_access_manager_entitlement")
        assert entitlement["max_request_duration"] == "3600s"
        (step,) = entitlement["approval_workflow"]["manual_approvals"]["steps"]
        assert step["approvals_needed"] == 1
        assert step["approvers"]["principals"] == [f"group:{settings.security_contact}"]
        assert entitlement["eligible_users"] == [{"principals": [f"group:{settings.owner}"]}]
        assert entitlement["requester_justification_config"] == {"unstructured": {}}
        assert "break-glass" not in {place.partition("/")[2] for place in resources(document, ACCOUNT)}
        alarm = one(document, "google_monitoring_alert_policy", "audit/break-glass-alarm")
        (condition,) = alarm["conditions"]
        assert "privilegedaccessmanager.googleapis.com" in condition["condition_matched_log"]["filter"]

    def test_people_are_those_of_the_settings(self, settings: DeploymentSettings) -> None:
        assert settings.gcp is not None
        people = {
            "operators": "user:a@x.example",
            "auditors": "group:b@x.example",
            "approvers": "user:c@x.example",
        }
        gcp = settings.gcp.model_copy(update=people)
        found = synthesized(settings.model_copy(update={"gcp": gcp}))
        grants = resources(found, "google_service_account_iam_member")
        assert grants["identity/pipeline-people"]["member"] == "user:a@x.example"
        assert grants["identity/auditor-people"]["member"] == "group:b@x.example"
        entitlement = one(found, "google_privileged_access_manager_entitlement")
        (step,) = entitlement["approval_workflow"]["manual_approvals"]["steps"]
        assert step["approvers"]["principals"] == ["user:c@x.example"]
        assert check_parity("gcp", found) == ()

    @pytest.mark.parametrize("who", ["allUsers", "a@x.example", "domain:x.example", "user:nobody"])
    def test_who_is_no_person_or_group_is_refused(self, settings: DeploymentSettings, who: str) -> None:
        assert settings.gcp is not None
        with pytest.raises(ValidationError, match="operators"):
            GcpSettings.model_validate(settings.gcp.model_dump() | {"operators": who})


class TestSupply:
    def test_tags_stay_and_images_are_scanned(self, document: Document) -> None:
        repositories = resources(document, "google_artifact_registry_repository")
        assert set(repositories) == {"registry/images", "registry/models"}
        for repository in repositories.values():
            assert repository["docker_config"] == {"immutable_tags": True}
            assert repository["vulnerability_scanning_config"] == {"enablement_config": "INHERITED"}
            assert repository["kms_key_name"].startswith("${google_kms_crypto_key.keys_registry")

    def test_unsigned_images_are_blocked(self, document: Document) -> None:
        policy = one(document, "google_binary_authorization_policy")
        rule = policy["default_admission_rule"]
        assert rule["evaluation_mode"] == "REQUIRE_ATTESTATION"
        assert rule["enforcement_mode"] == "ENFORCED_BLOCK_AND_AUDIT_LOG"
        assert len(rule["require_attestations_by"]) == 1
        assert "admission_whitelist_patterns" not in policy

    def test_secrets_stay_in_the_two_regions_under_our_keys(self, document: Document) -> None:
        secrets = resources(document, "google_secret_manager_secret")
        assert set(secrets) == {"secrets/site-secret", "secrets/audit-signing-key"}
        for secret in secrets.values():
            replicas = secret["replication"]["user_managed"]["replicas"]
            keys = {r["location"]: r["customer_managed_encryption"]["kms_key_name"] for r in replicas}
            assert set(keys) == {"europe-west4", "europe-west1"}
            assert "keys_secrets" in keys["europe-west4"]
            assert "keys_replica" in keys["europe-west1"]
            assert secret["rotation"]["rotation_period"] == f"{365 * DAY_S}s"

    def test_only_the_pipeline_reads_them(self, document: Document) -> None:
        readers = resources(document, "google_secret_manager_secret_iam_member").values()
        assert all("identity_pipeline_" in reader["member"] for reader in readers)
        rule = one(document, "google_iam_deny_policy")["rules"][0]["deny_rule"]
        assert rule["denied_permissions"] == ["secretmanager.googleapis.com/versions.access"]
        assert rule["denied_principals"] == ["principalSet://goog/public:all"]
        (spared,) = rule["exception_principals"]
        assert "identity_pipeline_" in spared


class TestCompute:
    def test_quotas_are_summed_by_kind_of_gpu(self, settings: DeploymentSettings) -> None:
        gpu = (
            GpuSettings(size="l4", max_nodes=2),
            GpuSettings(size="l4", per_node=4, max_nodes=3),
            GpuSettings(size="l4", max_nodes=5, spot=True),
            GpuSettings(size="h100", per_node=8, max_nodes=1),
        )
        endpoints = (
            EndpointSettings(name="one", max_instances=2),
            EndpointSettings(name="two", max_instances=3),
        )
        compute = settings.compute.model_copy(update={"gpu": gpu, "kubernetes": False})
        found = synthesized(settings.model_copy(update={"compute": compute, "endpoints": endpoints}))
        wanted = {}
        for quota in resources(found, "google_cloud_quotas_quota_preference").values():
            metric = re.search(r'q\.metric == "aiplatform\.googleapis\.com/(\w+)"', quota["quota_id"])
            assert metric
            wanted[metric[1]] = quota["quota_config"]["preferred_value"]
        assert wanted == {
            "custom_model_training_nvidia_l4_gpus": "14",
            "custom_model_training_preemptible_nvidia_l4_gpus": "5",
            "custom_model_training_nvidia_h100_gpus": "8",
            "custom_model_serving_nvidia_l4_gpus": "5",
        }

    def test_every_size_on_offer_has_a_quota(self) -> None:
        for size in cloud_offer("gcp").gpu:
            machines = cloud_offer("gcp").machines(size)
            assert len({machine.family for machine in machines}) == 1
            assert all(re.fullmatch(r"nvidia_\w+_gpus", machine.family) for machine in machines)

    def test_the_notebook_has_no_public_address(self, document: Document) -> None:
        setup = one(document, "google_workbench_instance")["gce_setup"]
        assert setup["disable_public_ip"] is True
        (interface,) = setup["network_interfaces"]
        assert set(interface) == {"network", "subnet"}
        for disk in ("boot_disk", "data_disks"):
            assert setup[disk]["disk_encryption"] == "CMEK"
            assert setup[disk]["kms_key"].startswith("${google_kms_crypto_key.keys_data")

    def test_machines_on_stand_by_are_an_option(
        self, document: Document, settings: DeploymentSettings
    ) -> None:
        assert "google_vertex_ai_persistent_resource" not in document["resource"]
        assert settings.gcp is not None
        gcp = settings.gcp.model_copy(update={"persistent_resource": True})
        found = synthesized(settings.model_copy(update={"gcp": gcp}))
        kept = resources(found, "google_vertex_ai_persistent_resource")
        assert set(kept) == {"compute/l4-1-spot", "compute/a100-80-8"}
        for body in kept.values():
            assert body["encryption_spec"]["kms_key_name"].startswith("${google_kms_crypto_key.keys_data")
            account = body["resource_runtime_spec"]["service_account_spec"]
            assert account == {"enable_custom_service_account": True}
        assert check_parity("gcp", found) == ()

    def test_endpoints_are_the_platforms_and_an_alarm_names_none(self, document: Document) -> None:
        """A rollout makes the machines of its deployed models, and Vertex AI the endpoints' numbers."""
        assert not [kind for kind in document["resource"] if kind.startswith("google_vertex_ai_")]
        errors = resources(document, "google_monitoring_alert_policy")["serving/errors"]
        (condition,) = errors["conditions"]
        asked = condition["condition_threshold"]["filter"]
        assert "endpoint_id" not in asked
        assert "prediction/online/error_count" in asked


class TestKubernetes:
    def test_the_cluster_is_private(self, document: Document) -> None:
        cluster = one(document, "google_container_cluster")
        assert cluster["private_cluster_config"]["enable_private_nodes"] is True
        assert cluster["private_cluster_config"]["enable_private_endpoint"] is True
        callers = cluster["master_authorized_networks_config"]["cidr_blocks"]
        assert [block["cidr_block"] for block in callers] == ["10.41.0.0/16", "10.10.0.0/16"]
        assert cluster["database_encryption"]["state"] == "ENCRYPTED"
        assert cluster["binary_authorization"] == {"evaluation_mode": "PROJECT_SINGLETON_POLICY_ENFORCE"}

    def test_gpu_nodes_start_from_none_with_their_driver(self, document: Document) -> None:
        pools = resources(document, "google_container_node_pool", "kubernetes/gpu-*")
        assert len(pools) == 2
        for pool in pools.values():
            assert pool["autoscaling"]["total_min_node_count"] == 0
            assert pool["initial_node_count"] == 0
            (accelerator,) = pool["node_config"]["guest_accelerator"]
            assert accelerator["gpu_driver_installation_config"] == {"gpu_driver_version": "DEFAULT"}
            assert accelerator["type"] in ("nvidia-l4", "nvidia-a100-80gb")
            (taint,) = pool["node_config"]["taint"]
            assert (taint["key"], taint["effect"]) == ("nvidia.com/gpu", "NO_SCHEDULE")
        spot = pools["kubernetes/gpu-l4-1-spot/pool"]["node_config"]
        assert spot["spot"] is True

    def test_nodes_have_an_account_of_their_own(self, document: Document) -> None:
        for pool in resources(document, "google_container_node_pool").values():
            nodes = pool["node_config"]
            assert nodes["service_account"].startswith("${google_service_account.kubernetes_nodes_")
            assert nodes["workload_metadata_config"] == {"mode": "GKE_METADATA"}
            assert nodes["boot_disk_kms_key"].startswith("${google_kms_crypto_key.keys_data")
        grants = resources(document, GRANT, "kubernetes/*")
        assert [g["role"] for g in grants.values()] == ["roles/container.defaultNodeServiceAccount"]

    def test_pods_of_one_name_become_an_account(self, document: Document) -> None:
        grants = resources(document, "google_service_account_iam_member", "kubernetes/*-pods")
        assert {grant["member"] for grant in grants.values()} == {
            "serviceAccount:hospital-imaging-prod.svc.id.goog[isocenter/training]",
            "serviceAccount:hospital-imaging-prod.svc.id.goog[isocenter/serving]",
        }

    def test_the_trainer_waits_for_nodes_and_brings_no_device_plugin(self, document: Document) -> None:
        release = one(document, "helm_release")
        assert release["chart"] == "kubeflow-trainer"
        assert any(name.startswith("google_container_node_pool.") for name in release["depends_on"])

    def test_options_off_leave_their_resources_out(self, plain: Document) -> None:
        assert check_parity("gcp", plain) == ()
        kinds = set(plain["resource"])
        assert not [
            kind for kind in kinds if re.match(r"google_container_(?!analysis)|helm|google_workbench", kind)
        ]
        assert (
            "secondary_ip_range" not in one(plain, "google_compute_subnetwork")
            or not one(plain, "google_compute_subnetwork")["secondary_ip_range"]
        )
        assert "helm" not in plain["provider"]
        assert not resources(plain, "google_kms_crypto_key_iam_member", "keys/secrets/gke")
        rule = one(plain, FIREWALL, "network/firewall/to-inside")
        assert rule["destination_ranges"] == ["10.41.0.0/18"]


class TestState:
    def test_is_encrypted_and_versioned(self, state: Document) -> None:
        bucket = one(state, BUCKET)
        assert bucket["versioning"] == {"enabled": True}
        assert bucket["uniform_bucket_level_access"] is True
        assert bucket["public_access_prevention"] == "enforced"
        assert bucket["encryption"]["default_kms_key_name"].startswith("${google_kms_crypto_key.key_")
        assert bucket["lifecycle"]["prevent_destroy"] is True

    def test_the_stack_keeps_its_state_there_under_its_key(self, document: Document, state: Document) -> None:
        backend = document["terraform"]["backend"]["gcs"]
        assert backend["bucket"] == one(state, BUCKET)["name"]
        ring, key = one(state, "google_kms_key_ring"), one(state, "google_kms_crypto_key")
        assert backend["kms_encryption_key"] == (
            f"projects/hospital-imaging-prod/locations/{ring['location']}"
            f"/keyRings/{ring['name']}/cryptoKeys/{key['name']}"
        )
        assert backend["prefix"] != state["terraform"]["backend"]["gcs"]["prefix"]
        assert not {"credentials", "access_token", "encryption_key"} & set(backend)

    def test_workflows_reach_nothing_but_state(self, document: Document) -> None:
        grants = resources(document, "google_storage_bucket_iam_member")
        assert {(g["bucket"].rpartition("-")[2], g["role"]) for g in grants.values()} == {
            ("tfstate", "roles/storage.objectViewer"),
            ("tfstate", "roles/storage.objectUser"),
        }
        for bucket in ("data", "models", "audit", "logs", "data-copy", "models-copy"):
            assert not {member_role(m) for m in members_of(document, bucket)} & {"ci-plan", "ci-deploy"}

    def test_every_service_in_use_is_on(self, state: Document, document: Document) -> None:
        on = {body["service"] for body in resources(state, "google_project_service").values()}
        restricted = one(document, "google_access_context_manager_service_perimeter")["status"]
        assert set(restricted["restricted_services"]) - on <= {"bigquery.googleapis.com"}
        assert "containerscanning.googleapis.com" in on

    def test_lies_beside_the_stack_before_there_is_one(self, settings: DeploymentSettings) -> None:
        local = synthesized(settings, stack="state", remote_state=False)
        assert local["terraform"]["backend"] == {"local": {"path": "terraform.tfstate"}}


def test_every_reference_leads_somewhere(document: Document) -> None:
    made = {f"{kind}.{name}" for kind, named in document["resource"].items() for name in named}
    made |= {f"data.{kind}.{name}" for kind, named in document["data"].items() for name in named}
    text = json.dumps(document)
    used = set(re.findall(r"(?:data\.)?google_\w+\.[A-Za-z0-9_-]+_[0-9A-F]{8}\b", text))
    assert used
    assert used <= made


def test_references_have_no_circle(document: Document) -> None:
    edges = {
        f"{kind}.{name}": set(re.findall(r"google_\w+\.[A-Za-z0-9_-]+_[0-9A-F]{8}\b", json.dumps(body)))
        for kind, named in document["resource"].items()
        for name, body in named.items()
    }
    done: set[str] = set()

    def visit(node: str, above: tuple[str, ...]) -> None:
        assert node not in above, (*above, node)
        if node not in done:
            for below in edges.get(node, set()) - {node}:
                visit(below, (*above, node))
            done.add(node)

    for node in edges:
        visit(node, ())


def protections(document: Document) -> Iterator[str]:
    for kind, place, body in everything(document):
        guards = [body.get(name) for name in ("deletion_protection", "enable_deletion_protection")]
        guards.append(body.get("lifecycle", {}).get("prevent_destroy"))
        if True in guards or body.get("deletion_policy") == "PREVENT":
            yield f"{kind} {place}"


def test_a_forced_destroy_lifts_the_protection(document: Document, settings: DeploymentSettings) -> None:
    assert len(list(protections(document))) > 40
    forced = synthesized(settings, protect=False)
    assert list(protections(forced)) == []
    assert all(bucket["force_destroy"] is True for bucket in resources(forced, BUCKET).values())
    assert "google_resource_manager_lien" not in forced["resource"]
    (rule,) = one(forced, "google_iam_deny_policy")["rules"]
    assert rule["deny_rule"]["denied_permissions"] == ["secretmanager.googleapis.com/versions.access"]
    # What is locked by law stays locked: Cloud Storage refuses to delete it until its time is over.
    assert one(forced, BUCKET, "audit/bucket/bucket")["retention_policy"]["is_locked"] is True


def test_the_same_settings_give_the_same_bytes(document: Document, settings: DeploymentSettings) -> None:
    assert json.dumps(synthesized(settings), sort_keys=True) == json.dumps(document, sort_keys=True)
