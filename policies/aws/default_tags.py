"""Every resource says whose it is and what data it holds."""

from isocenter_policies.rule import Body, Rule


class DefaultTags(Rule):
    id = "ISO_AWS_061"
    severity = "medium"
    title = "Every resource says whose it is and what data it holds"
    why = "A resource without an owner and a classification is in nobody's review."
    fix = "Set the provider's default_tags environment, owner, data-classification and cost-centre."
    control = 15
    kinds = ("provider.aws",)

    def holds(self, body: Body) -> bool | None:
        tags = body.mapping("default_tags.tags")
        return all(tags.get(tag) for tag in ("environment", "owner", "data-classification", "cost-centre"))


CHECK = DefaultTags()
