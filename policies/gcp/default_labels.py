"""Every resource says whose it is and what data it holds."""

from isocenter_policies.rule import Body, Rule


class DefaultLabels(Rule):
    id = "ISO_GCP_053"
    severity = "medium"
    title = "Every resource says whose it is and what data it holds"
    why = "A resource without an owner and a classification is in nobody's review."
    fix = "Set the provider's default_labels environment, owner, data-classification and cost-centre."
    control = 15
    kinds = (
        "provider.google",
        "provider.google-beta",
    )

    def holds(self, body: Body) -> bool | None:
        labels = body.mapping("default_labels")
        return all(
            labels.get(label) for label in ("environment", "owner", "data-classification", "cost-centre")
        )


CHECK = DefaultLabels()
