"""A plan in Markdown, for a pull request's comment."""

import re
from collections.abc import Sequence

from isocenter_infra.terraform.argument_changes import one_line
from isocenter_infra.terraform.plan_summary import Action, Change, count

# GitHub takes 65,536 characters a comment, and one comment holds the plans of three clouds.
LONGEST_PAGE = 18_000
_LONGEST_VALUE = 80
_LONGEST_ADDRESS = 200
_MOST_ARGUMENTS = 12
_GRAVE = (Action.DESTROY, Action.REPLACE)


def page(target: str, changes: Sequence[Change], digest: str, made_by: str) -> str:
    """The plan, the gravest first; what makes it too long is left out, and counted.

    Args:
        target: name of the target.
        changes: what the plan would do.
        digest: by which it is approved.
        made_by: product and version.
    """
    foot = f"Digest `{digest}`, made by {made_by}."
    lines = [f"### Plan for `{target}`", "", _counted(changes) or "Nothing to change.", ""]
    if changes:
        lines += ["| action | resource | old → new |", "|---|---|---|"]
        shown = _fitting(changes, LONGEST_PAGE - len("\n".join(lines)) - len(foot) - _LONGEST_ADDRESS)
        lines += [*shown, ""]
        if len(shown) < len(changes):
            left = _counted(changes[len(shown) :])
            lines += [f"Left out here because the page is full: {left}. `make plan` shows all.", ""]
    return "\n".join([*lines, foot, ""])


def _counted(changes: Sequence[Change]) -> str:
    return ", ".join(f"{number} to {action}" for action, number in count(changes).items() if number)


def _fitting(changes: Sequence[Change], longest: int) -> list[str]:
    rows: list[str] = []
    for change in changes:
        row = _row(change)
        longest -= len(row) + 1
        if longest < 0:
            break
        rows.append(row)
    return rows


def _row(change: Change) -> str:
    action = f"**{change.action}**" if change.action in _GRAVE else str(change.action)
    lines = [change.reason] if change.reason else []
    lines += [
        _code(argument.shortened(_LONGEST_VALUE))
        + (" **forces replacement**" if argument.forces_replacement else "")
        for argument in change.arguments[:_MOST_ARGUMENTS]
    ]
    if len(change.arguments) > _MOST_ARGUMENTS:
        lines.append(f"and {len(change.arguments) - _MOST_ARGUMENTS} more")
    return f"| {action} | {_code(change.address[:_LONGEST_ADDRESS])} | {'<br>'.join(lines)} |"


def _code(text: str) -> str:
    """``text`` as code in a table's cell, where Markdown, HTML and mentions mean nothing.

    https://github.github.com/gfm/#code-spans and, for the pipe, https://github.github.com/gfm/#example-200
    """
    text = one_line(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    room = " " if text[:1] in ("`", " ") or text[-1:] in ("`", " ") else ""
    return f"{fence}{room}{text}{room}{fence}".replace("|", r"\|")
