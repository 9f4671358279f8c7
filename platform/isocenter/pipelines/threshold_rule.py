"""How a decision threshold may be chosen; checked before anything is trained."""

import re

from isocenter.errors import InputError

_RULE = re.compile(r"youden|(sensitivity|specificity)>=(0?\.[0-9]+|1(\.0+)?|0)")


def check_threshold_rule(rule: str) -> str:
    """``rule`` without blanks, in lower case, if the evaluation knows it.

    Raises:
        InputError: it does not.
    """
    plain = rule.replace(" ", "").lower()
    if not _RULE.fullmatch(plain):
        raise InputError(
            f"{rule!r} is no rule for a threshold.",
            hint="Write youden, sensitivity>=X or specificity>=X, X from 0 to 1.",
        )
    return plain
