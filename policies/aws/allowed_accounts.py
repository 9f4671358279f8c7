"""The provider works on one named account."""

from isocenter_policies.rule import Body, Rule


class AllowedAccounts(Rule):
    id = "ISO_AWS_062"
    severity = "medium"
    title = "The provider works on one named account"
    why = "With another account's credentials at hand, an apply would land there."
    fix = "Set allowed_account_ids."
    control = 33
    kinds = ("provider.aws",)

    def holds(self, body: Body) -> bool | None:
        return len(body.texts("allowed_account_ids")) == 1


CHECK = AllowedAccounts()
