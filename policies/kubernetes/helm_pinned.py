"""A chart has a version and comes over HTTPS."""

from isocenter_policies.rule import Body, Rule


class HelmPinned(Rule):
    id = "ISO_K8S_017"
    severity = "medium"
    title = "A chart has a version and comes over HTTPS"
    why = "A chart without a version is another one tomorrow."
    fix = "Set version, and a repository with https:// or oci://."
    control = 27
    kinds = ("helm_release",)

    def holds(self, body: Body) -> bool | None:
        repository = body.get("repository", "https://")
        return bool(body.get("version")) and str(repository).startswith(("https://", "oci://", "${"))


CHECK = HelmPinned()
