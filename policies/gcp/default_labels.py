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
        # Google's labels may be written with underscores.
        labels = {name.replace("_", "-"): value for name, value in body.mapping("default_labels").items()}
        return all(
            labels.get(label) for label in ("environment", "owner", "data-classification", "cost-centre")
        )


CHECK = DefaultLabels()
