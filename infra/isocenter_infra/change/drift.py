"""What was changed by hand since the last apply."""

from collections.abc import Callable

from isocenter.targets.settings import Cloud
from isocenter_infra.change.check import place, synthesize_and_check
from isocenter_infra.change.intent import Intent
from isocenter_infra.change.plan import look
from isocenter_infra.change.surroundings import surroundings
from isocenter_infra.terraform.plan_summary import Change, summarise_drift
from isocenter_infra.terraform.workspace import Listener

# What somebody can add past Terraform that it has nothing to compare with, by cloud.
_UNSEEN = {
    Cloud.AWS: (
        "Roles, security groups and routes of the deployment are compared whole: what was added to them "
        "is seen. Whatever else is new beside the deployment is not: other roles, users, access keys, "
        "groups, endpoints, grants of keys. The alarms identity-changed and network-changed tell of "
        "most of it."
    ),
    Cloud.GCP: (
        "The buckets' access is compared whole: what was added to it is seen. What was added elsewhere "
        "is not: roles granted in the project or on keys, secrets, registries and service accounts, "
        "firewall rules, service accounts and their keys. The alarms project-access-changed, key-made "
        "and network-changed tell of most of it."
    ),
    Cloud.AZURE: (
        "What was added is not seen: role assignments, rules in network security groups, outbound rules "
        "of the workspace, federated credentials. The alarms identity-changed and network-changed tell "
        "of it."
    ),
    Cloud.ONPREM: (
        "What was added is not seen: role bindings, network policies (they only ever allow more), "
        "workloads and secrets in the namespace. The cluster's own audit log tells of it."
    ),
}
_EMULATED = " On the emulator also not: what its deploy leaves out, rules of security groups among it."


def unseen(intent: Intent) -> str:
    """What was added by hand and still is no drift, for a person."""
    return f"Beyond this look: {_UNSEEN[intent.settings.cloud]}{_EMULATED if intent.emulate else ''}"


def find_drift(intent: Intent, notice: Callable[[str], None], listen: Listener) -> tuple[Change, ...]:
    """Resources that were changed by hand in something that the stack sets. Nothing is changed.

    What was added is found where the provider can compare the whole (:func:`unseen` says where not). What a
    cloud computes, or fills in after an apply, is no drift: only what the next apply would put back.

    Raises:
        IsocenterError: Terraform failed, explained.
    """
    checked = synthesize_and_check(intent, notice)
    around = surroundings(intent, checked.document, notice)
    place(around.document, around.workspace.folder)
    around.workspace.init()
    file = (intent.folder / "drift.tfplan").absolute()
    try:
        look(around.document, around.workspace, notice, file, listen)
        return summarise_drift(around.workspace.show(file))
    finally:
        file.unlink(missing_ok=True)
