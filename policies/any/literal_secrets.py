"""No secret stands in the Terraform JSON."""

import re
from collections.abc import Iterator
from typing import Any

from isocenter_policies.rule import Body, Rule

_NAMES = re.compile(
    r"(^|_)(password|passwd|secret|secret_string|secret_binary|secret_data|token|private_key|access_key|api_key"
    r"|connection_string|sas_token)(_wo|_value)?$"
)
_VALUES = re.compile(
    r"AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY-----|gh[pousr]_[A-Za-z0-9]{36}|AIza[0-9A-Za-z_-]{35}"
)


def _is_secret(name: str, text: str) -> bool:
    if _VALUES.search(text):
        return True
    return bool(_NAMES.search(name)) and bool(text) and not text.startswith("${")


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Each text with the name that it stands under."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, name)


class LiteralSecrets(Rule):
    id = "ISO_ANY_001"
    severity = "critical"
    title = "No secret stands in the Terraform JSON"
    why = "What stands in the JSON also stands in the state, the plan and the repository."
    fix = (
        "Make the secret outside of Terraform and refer to it, or use an ephemeral resource with a "
        "write-only argument."
    )
    control = 28
    kinds = ("*",)

    def holds(self, body: Body) -> bool | None:
        return not any(_is_secret(name, text) for name, text in _texts(body.content))


CHECK = LiteralSecrets()
