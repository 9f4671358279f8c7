"""Nothing is granted to everybody."""

from isocenter_policies.rule import Body, Rule


class NoPublicMembers(Rule):
    id = "ISO_GCP_009"
    severity = "critical"
    title = "Nothing is granted to everybody"
    why = "allUsers is the whole world, and allAuthenticatedUsers is everybody with a Google account."
    fix = "Name the members."
    control = 5
    kinds = (
        "google_*_iam_member",
        "google_*_iam_binding",
    )

    def holds(self, body: Body) -> bool | None:
        members = [*body.texts("member"), *body.texts("members")]
        return not any(member in ("allUsers", "allAuthenticatedUsers") for member in members)


CHECK = NoPublicMembers()
