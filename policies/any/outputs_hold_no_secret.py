"""No output holds a secret."""

import re

from isocenter_policies.rule import Body, Rule

_SECRETS = re.compile(
    r"\.(secret_string|secret_data|password|private_key|private_key_pem|primary_access_key|secondary_access_key"
    r"|primary_connection_string|kube_config|kube_config_raw|admin_password|primary_shared_key)\b"
)


class OutputsHoldNoSecret(Rule):
    id = "ISO_ANY_003"
    severity = "high"
    title = "No output holds a secret"
    why = "Outputs are printed, and kept in the state in the clear."
    fix = "Leave it out; read it where it is needed."
    control = 28
    kinds = ("output",)

    def holds(self, body: Body) -> bool | None:
        text = body.text("value")
        return body.get("sensitive") is not True and not _SECRETS.search(text)


CHECK = OutputsHoldNoSecret()
