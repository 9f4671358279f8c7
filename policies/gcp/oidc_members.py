"""A service account is lent to one subject or one repository."""

from isocenter_policies.rule import Body, Rule


class OidcMembers(Rule):
    id = "ISO_GCP_034"
    severity = "critical"
    title = "A service account is lent to one subject or one repository"
    why = "A whole pool contains every workflow that the provider admits."
    fix = "Use principal://.../subject/... or principalSet://.../attribute.repository/...."
    control = 22
    kinds = (
        "google_service_account_iam_member",
        "google_service_account_iam_binding",
    )

    def holds(self, body: Body) -> bool | None:
        members = [*body.texts("member"), *body.texts("members")]
        pools = [
            member
            for member in members
            if "workloadIdentityPools" in member or member.startswith("principal")
        ]
        return not any(member.endswith("/*") or "*" in member.rpartition("/")[2] for member in pools)


CHECK = OidcMembers()
