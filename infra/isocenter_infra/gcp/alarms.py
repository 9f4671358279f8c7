"""Cloud Logging filters: what must raise an alarm.

The first ones are those of the CIS Google Cloud Foundations Benchmark, section 2 (logging and monitoring).
"""

from collections.abc import Mapping, Sequence

from isocenter_infra.gcp.names import GcpNames

AUDIT_LOGS = 'logName:"cloudaudit.googleapis.com"'


def alarms(names: GcpNames) -> Mapping[str, str]:
    """Filter by name of the alarm."""
    return {
        **_CHANGES,
        "unauthorized": f"{AUDIT_LOGS} AND protoPayload.status.code=7",
        "perimeter-violated": (
            'protoPayload.metadata."@type"='
            '"type.googleapis.com/google.cloud.audit.VpcServiceControlAuditMetadata"'
        ),
        "secret-read": (
            f"{_calls('secretmanager', ['AccessSecretVersion'])}"
            f' AND NOT protoPayload.authenticationInfo.principalEmail="{names.account("pipeline")}"'
        ),
        "break-glass": _calls("privilegedaccessmanager", ["CreateGrant", "ApproveGrant", "ActivateGrant"]),
        "image-forced": (
            'resource.type="k8s_cluster"'
            ' AND protoPayload.request.metadata.labels."image-policy.k8s.io/break-glass"="true"'
        ),
    }


def _calls(service: str, methods: Sequence[str]) -> str:
    """Calls whose method holds one of ``methods``."""
    named = " OR ".join(f'"{method}"' for method in methods)
    called = f'protoPayload.serviceName="{service}.googleapis.com"'
    return f"{AUDIT_LOGS} AND {called} AND protoPayload.methodName:({named})"


_CHANGES: Mapping[str, str] = {
    "project-access-changed": _calls("cloudresourcemanager", ["SetIamPolicy"]),
    "audit-config-changed": (
        f'{AUDIT_LOGS} AND protoPayload.methodName="SetIamPolicy"'
        " AND protoPayload.serviceData.policyDelta.auditConfigDeltas:*"
    ),
    "role-changed": _calls("iam", ["CreateRole", "DeleteRole", "UpdateRole"]),
    "key-made": _calls("iam", ["CreateServiceAccountKey", "UploadServiceAccountKey"]),
    "federation-changed": _calls("iam", ["WorkloadIdentityPool"]),
    "bucket-opened": _calls("storage", ["setIamPermissions", "buckets.update", "buckets.delete"]),
    "encryption-key-changed": _calls(
        "cloudkms", ["DestroyCryptoKeyVersion", "UpdateCryptoKey", "SetIamPolicy"]
    ),
    "network-changed": _calls(
        "compute",
        [
            *("firewalls.insert", "firewalls.patch", "firewalls.update", "firewalls.delete"),
            *("routes.insert", "routes.delete", "routers.insert", "routers.patch"),
            *("networks.insert", "networks.patch", "networks.addPeering", "networks.delete"),
        ],
    ),
    "logging-changed": _calls(
        "logging", ["UpdateSink", "DeleteSink", "UpdateBucket", "DeleteBucket", "CreateExclusion"]
    ),
    "policy-changed": _calls("orgpolicy", ["CreatePolicy", "UpdatePolicy", "DeletePolicy"]),
}
