"""Show the plans of a pull request in one comment, which later runs update. `make plan-comment`.

Takes GITHUB_REPOSITORY, GITHUB_RUN_ID, PR (its number), PLANS (folder of plan folders) and GH_TOKEN from the
environment; needs only Python and GitHub's `gh`.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

MARKER = "<!-- isocenter: plans -->"
# GitHub refuses a comment over 65,536 characters.
LONGEST = 60_000


def body(folder: Path, run: str) -> str:
    """The comment's text."""
    pages = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*/plan.md"))]
    text = "\n".join(
        [MARKER, *(pages or ["No deployment was planned."]), f"Run `{run}`: see docs/deploying.md."]
    )
    if len(text) <= LONGEST:
        return text
    return text[:LONGEST] + f"\n\nCut here: the rest is in the artifacts of run `{run}`."


def gh(*arguments: str, given: Any = None) -> Any:
    """What GitHub's API answered."""
    options = ["--input", "-"] if given is not None else []
    done = subprocess.run(
        ["gh", "api", *arguments, *options],
        input=json.dumps(given) if given is not None else None,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout or "null")


def main() -> None:
    """Update the comment, or make it."""
    repository, number = os.environ["GITHUB_REPOSITORY"], int(os.environ["PR"])
    text = {"body": body(Path(os.environ["PLANS"]), os.environ["GITHUB_RUN_ID"])}
    comments = f"repos/{repository}/issues/{number}/comments"
    # One page after another comes as lists in a list.
    pages = gh("--paginate", "--slurp", f"{comments}?per_page=100")
    ours = [
        found["id"]
        for page in pages
        for found in page
        if found["user"]["type"] == "Bot" and found["body"].startswith(MARKER)
    ]
    if ours:
        gh("--method", "PATCH", f"repos/{repository}/issues/comments/{ours[0]}", given=text)
    else:
        gh("--method", "POST", comments, given=text)


if __name__ == "__main__":
    main()
