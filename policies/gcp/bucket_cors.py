"""A bucket names the websites whose scripts may use it."""

from isocenter_policies.rule import Body, Rule


class BucketCors(Rule):
    id = "ISO_GCP_061"
    severity = "high"
    title = "A bucket names the websites whose scripts may use it"
    why = (
        "A script on any website could read patient data through the browser of somebody inside the network."
    )
    fix = "List cors.origin by name, or leave cors out."
    control = 5
    kinds = ("google_storage_bucket",)

    def holds(self, body: Body) -> bool | None:
        return not any("*" in site for site in body.texts("cors.origin"))


CHECK = BucketCors()
