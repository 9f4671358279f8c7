"""Load balancers want TLS 1.2 or newer."""

from isocenter_policies.rule import Body, Rule


class TlsVersion(Rule):
    id = "ISO_GCP_008"
    severity = "high"
    title = "Load balancers want TLS 1.2 or newer"
    why = "TLS 1.0 and 1.1 can be broken."
    fix = "Set min_tls_version to TLS_1_2 and profile to RESTRICTED or MODERN."
    control = 6
    kinds = ("google_compute_ssl_policy",)

    def holds(self, body: Body) -> bool | None:
        modern = body.get("profile") in ("RESTRICTED", "MODERN", "FIPS_202205", "CUSTOM")
        return modern and body.get("min_tls_version") in ("TLS_1_2", "TLS_1_3")


CHECK = TlsVersion()
