"""An organisation policy restricts."""

from isocenter_policies.rule import Body, Rule


class OrgPolicyEnforced(Rule):
    id = "ISO_GCP_018"
    severity = "high"
    title = "An organisation policy restricts"
    why = "A policy that allows all, or isn't enforced, is the same as none."
    fix = "Set enforce to TRUE, deny_all to TRUE, or the values that are allowed."
    control = 15
    kinds = ("google_org_policy_policy",)

    def holds(self, body: Body) -> bool | None:
        rules = body.blocks("spec.rules")
        return bool(rules) and not any(
            str(rule.get("enforce")).upper() == "FALSE" or str(rule.get("allow_all")).upper() == "TRUE"
            for rule in rules
        )


CHECK = OrgPolicyEnforced()
