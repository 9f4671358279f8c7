"""Terraform looks at all of a resource."""

import re

from isocenter_policies.rule import Body, Rule

_SECURES = re.compile(
    r"policy|encrypt|kms|key_id|public|tls|retention|lock|logging|versioning|tags|labels|ingress|egress"
)


class NoBlindSpots(Rule):
    id = "ISO_ANY_006"
    severity = "medium"
    title = "Terraform looks at all of a resource"
    why = "A change by hand in what is ignored stays unseen."
    fix = "Name single arguments in ignore_changes, never all, and none that secure the resource."
    control = 15
    kinds = ("*",)

    def holds(self, body: Body) -> bool | None:
        ignored = body.texts("lifecycle.ignore_changes")
        return "all" not in ignored and not any(_SECURES.search(name) for name in ignored)


CHECK = NoBlindSpots()
