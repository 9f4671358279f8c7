"""A manifest's pods share nothing with their node."""

from typing import Any

from isocenter_policies.rule import Body, Rule

_SHARED = ("hostNetwork", "hostPID", "hostIPC", "privileged", "allowPrivilegeEscalation")


def _shares(value: Any) -> bool:
    if isinstance(value, list):
        return any(_shares(item) for item in value)
    if not isinstance(value, dict):
        return False
    shared = any(value.get(name) is True for name in _SHARED) or (
        bool(value.get("hostPath")) and "name" in value
    )
    return shared or any(_shares(item) for item in value.values())


class ManifestHardened(Rule):
    id = "ISO_K8S_014"
    severity = "high"
    title = "A manifest's pods share nothing with their node"
    why = "A pod with the host's network, processes or files owns the node."
    fix = "Leave hostNetwork, hostPID, hostIPC, hostPath and privileged out."
    control = 29
    kinds = ("kubernetes_manifest",)

    def holds(self, body: Body) -> bool | None:
        return not any(_shares(manifest) for manifest in body.all("manifest"))


CHECK = ManifestHardened()
