"""Only images with our signature are admitted."""

from isocenter_policies.rule import Body, Rule


class BinaryAuthorization(Rule):
    id = "ISO_GCP_038"
    severity = "high"
    title = "Only images with our signature are admitted"
    why = "An image that nobody signed may be anybody's."
    fix = "Set evaluation_mode to REQUIRE_ATTESTATION and enforcement_mode to ENFORCED_BLOCK_AND_AUDIT_LOG."
    control = 27
    kinds = ("google_binary_authorization_policy",)

    def holds(self, body: Body) -> bool | None:
        rules = [*body.blocks("default_admission_rule"), *body.blocks("cluster_admission_rules")]
        return bool(rules) and all(
            rule.get("evaluation_mode") in ("REQUIRE_ATTESTATION", "ALWAYS_DENY")
            and rule.get("enforcement_mode") == "ENFORCED_BLOCK_AND_AUDIT_LOG"
            for rule in rules
        )


CHECK = BinaryAuthorization()
