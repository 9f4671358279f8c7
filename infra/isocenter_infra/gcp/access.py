"""Who may touch which bucket: the whole list, so that nobody else can, the project's viewers included."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdktn_provider_google.service_account import ServiceAccount
from cdktn_provider_google.storage_bucket_iam_member import StorageBucketIamMember
from cdktn_provider_google.storage_bucket_iam_policy import StorageBucketIamPolicy
from constructs import Construct

from isocenter_infra.gcp.audit import Audit
from isocenter_infra.gcp.bucket import Bucket
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.storage import Storage

READ, WRITE, ADD = "roles/storage.objectViewer", "roles/storage.objectUser", "roles/storage.objectCreator"
_LOOK = "roles/storage.legacyBucketReader"
# Who writes buckets' access logs: https://cloud.google.com/storage/docs/access-logs
_ACCESS_LOGS = "group:cloud-storage-analytics@google.com"
_CAPTURED = "capture/"
_STATE = "tfstate"


@dataclass(frozen=True)
class AccessArgs:
    """What it needs to know: names, the buckets, and the accounts by role."""

    names: GcpNames
    storage: Storage
    audit: Audit
    accounts: Mapping[str, ServiceAccount]


class Access(Construct):
    """One policy a bucket.

    A policy replaces what Google grants on a new bucket to the project's owners, editors and viewers.
    """

    def __init__(self, scope: Construct, id_: str, args: AccessArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        storage, member = args.storage, {role: account.member for role, account in args.accounts.items()}
        transfer = args.names.agent("transfer")
        read_by_transfer = [_binding(_LOOK, transfer), _binding(READ, transfer)]
        self.policies = [
            self._policy(
                storage.data,
                _binding(READ, member["training"]),
                _binding(WRITE, member["pipeline"]),
                self._capture(storage.data, member["serving"]),
                *read_by_transfer,
            ),
            self._policy(
                storage.models,
                _binding(WRITE, member["training"], member["pipeline"]),
                _binding(READ, member["serving"]),
                *read_by_transfer,
            ),
            *(
                self._policy(copy, _binding(_LOOK, transfer), _binding(WRITE, transfer))
                for copy in storage.copies.values()
            ),
            self._policy(storage.logs, _binding(ADD, _ACCESS_LOGS), _binding(READ, member["auditor"])),
            self._policy(
                args.audit.bucket,
                _binding(ADD, args.audit.archive.writer_identity),
                _binding(READ, member["auditor"]),
            ),
        ]
        self._state("plan", READ, member["ci-plan"])
        self._state("deploy", WRITE, member["ci-deploy"])

    def _capture(self, bucket: Bucket, member: str) -> dict[str, Any]:
        """Endpoints add what they captured, in one place."""
        place = f"projects/_/buckets/{bucket.name}/objects/{_CAPTURED}"
        condition = {"title": "capture", "expression": f'resource.name.startsWith("{place}")'}
        return _binding(ADD, member) | {"condition": condition}

    def _policy(self, bucket: Bucket, *bindings: Mapping[str, Any]) -> StorageBucketIamPolicy:
        return StorageBucketIamPolicy(
            self, bucket.purpose, bucket=bucket.bucket.name, policy_data=_policy_data(bindings)
        )

    def _state(self, id_: str, role: str, member: str) -> None:
        """The bucket of Terraform's state is made by another stack, before there were accounts."""
        StorageBucketIamMember(
            self, f"state-{id_}", bucket=self._args.names.bucket(_STATE), role=role, member=member
        )


def _binding(role: str, *members: str) -> dict[str, Any]:
    return {"role": role, "members": list(members)}


def _policy_data(bindings: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"bindings": list(bindings)}, sort_keys=True)
