"""Before a plan is applied: is it of a merged pull request, and the approved one? `make plan-review`.

Takes GITHUB_REPOSITORY, RUN (of plan.yml), DEPLOYMENT, DIGEST, PLAN (its folder) and GH_TOKEN from the
environment; needs only Python and GitHub's `gh`. Shows the plan in the run's summary, for whoever approves.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

WORKFLOW = ".github/workflows/plan.yml"
NAME = re.compile(r"[a-z][a-z0-9-]{1,18}[a-z0-9]")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def gh(path: str) -> Any:
    """What GitHub's API answered."""
    done = subprocess.run(["gh", "api", path], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def check_inputs(deployment: str, digest: str, run: str) -> None:
    """Refuse what is no name, no digest, no number."""
    if not NAME.fullmatch(deployment):
        sys.exit(f"{deployment!r} is no name of a deployment.")
    if not DIGEST.fullmatch(digest):
        sys.exit(f"{digest!r} is no digest: copy it from the pull request's comment (sha256:...).")
    if not run.isdecimal():
        sys.exit(f"{run!r} is no number of a run: copy it from the pull request's comment.")


def check_run(repository: str, run: str) -> None:
    """Refuse a run that isn't plan.yml's, or whose commit isn't the last one of a merged pull request."""
    found = gh(f"repos/{repository}/actions/runs/{run}")
    expected = {"path": WORKFLOW, "event": "pull_request", "conclusion": "success"}
    for field, value in expected.items():
        if found[field] != value:
            sys.exit(f"Run {run} has {field} {found[field]!r}; it must be {value!r}.")
    if found["head_repository"]["full_name"] != repository:
        sys.exit(f"Run {run} is of another repository: {found['head_repository']['full_name']}.")
    commit = found["head_sha"]
    pulls = gh(f"repos/{repository}/commits/{commit}/pulls")
    if not any(p["merged_at"] and p["head"]["sha"] == commit and p["base"]["ref"] == "main" for p in pulls):
        sys.exit(f"Run {run} planned commit {commit}, which is not what was merged into main.")


def check_plan(folder: Path, deployment: str, digest: str) -> None:
    """Refuse a plan that is of another deployment, or isn't the approved one."""
    record = json.loads((folder / "plan.json").read_bytes())
    if record["target"] != deployment:
        sys.exit(f"The plan is for {record['target']}, not for {deployment}.")
    file = "sha256:" + hashlib.sha256((folder / "plan.tfplan").read_bytes()).hexdigest()
    # As PlanRecord.digest: names and digests need no escapes, so that this is canonical JSON.
    stated = {key: record[key] for key in ("document", "plan", "target")}
    text = json.dumps(stated, separators=(",", ":"), sort_keys=True)
    found = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    if file != record["plan"] or found != digest:
        sys.exit(
            f"The plan's digest is {found}, not the approved {digest}: it is another plan, or was changed."
        )


def main() -> None:
    """Check everything, then show the plan."""
    environ = os.environ
    deployment, digest, run = environ["DEPLOYMENT"], environ["DIGEST"], environ["RUN"]
    check_inputs(deployment, digest, run)
    check_run(environ["GITHUB_REPOSITORY"], run)
    folder = Path(environ["PLAN"])
    check_plan(folder, deployment, digest)
    page = (folder / "plan.md").read_text(encoding="utf-8")
    print(page)
    if environ.get("GITHUB_STEP_SUMMARY"):
        with Path(environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as summary:
            summary.write(page)


if __name__ == "__main__":
    main()
