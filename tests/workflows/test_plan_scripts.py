"""What the workflows do beyond make's verbs: the list of deployments, the comment on a pull request, and the
look before an apply."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from workflows.conftest import REPOSITORY

from isocenter.domain.digest import digest_file

SCRIPTS = REPOSITORY / ".github" / "plans"
COMMIT = "c" * 40
# A stand-in for GitHub's `gh`: answers from a file, and keeps what it was given.
GH = """\
#!{python}
import json, os, sys
from pathlib import Path
folder = Path(os.environ["GH_FOLDER"])
arguments = sys.argv[2:]
path = next(word for word in arguments if word.startswith("repos/")).partition("?")[0]
method = arguments[arguments.index("--method") + 1] if "--method" in arguments else "GET"
given = json.load(sys.stdin) if "--input" in arguments else None
with (folder / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps([method, path, given]) + "\\n")
answers = json.loads((folder / "answers.json").read_text())
if method == "GET" and path not in answers:
    sys.exit("gh: Not Found (HTTP 404)")
print(json.dumps(answers.get(path)))
"""


class Github:
    """The stand-in and what it heard."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "bin" / "gh"
        program.parent.mkdir()
        program.write_text(GH.replace("{python}", sys.executable), encoding="utf-8")
        program.chmod(0o755)
        self.answers: dict[str, Any] = {}

    def run(self, script: str, **environ: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "answers.json").write_text(json.dumps(self.answers), encoding="utf-8")
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        fixed = {"PATH": path, "GH_FOLDER": str(self.folder), "GITHUB_REPOSITORY": "hospital/isocenter"}
        command = [sys.executable, str(SCRIPTS / script)]
        return subprocess.run(
            command, env={**os.environ, **fixed, **environ}, capture_output=True, text=True, check=False
        )

    @property
    def calls(self) -> list[list[Any]]:
        lines = (self.folder / "calls.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture
def github(tmp_path: Path) -> Github:
    return Github(tmp_path)


# --- the deployments ---


def _matrix(tmp_path: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    output = tmp_path / "output"
    environ = {**os.environ, "GITHUB_OUTPUT": str(output)}
    command = [sys.executable, str(SCRIPTS / "matrix.py")]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    return done, output


def _settings(tmp_path: Path, **files: str) -> None:
    (tmp_path / "deployments").mkdir(exist_ok=True)
    for name, text in files.items():
        (tmp_path / "deployments" / f"{name}.yaml").write_text(text, encoding="utf-8")


def test_the_matrix_holds_the_deployments_that_are_there(tmp_path: Path) -> None:
    init = [sys.executable, "-m", "isocenter.cli.main", "target", "init", "--cloud", "aws"]
    for name in ("aws-prod", "aws-test"):
        folder = str(tmp_path / "deployments")
        subprocess.run([*init, "--name", name, "--deployments", folder], check=True)
    _settings(tmp_path, mine="cloud: \"onprem\"  # ours\nname: 'ward-x'\nonprem:\n  name: no\n")
    done, output = _matrix(tmp_path)
    assert done.returncode == 0, done.stderr
    name, _, value = output.read_text(encoding="utf-8").partition("=")
    assert name == "matrix"
    assert json.loads(value) == [
        {"cloud": "aws", "name": "aws-prod"},
        {"cloud": "aws", "name": "aws-test"},
        {"cloud": "onprem", "name": "ward-x"},
    ]


def test_examples_are_checked_only_where_nothing_else_is_there(tmp_path: Path) -> None:
    _settings(tmp_path, a="name: gcp-example\ncloud: gcp\n")
    assert '"gcp-example"' in _matrix(tmp_path)[1].read_text(encoding="utf-8")
    _settings(tmp_path, b="name: aws-prod\ncloud: aws\n")
    found = _matrix(tmp_path)[1].read_text(encoding="utf-8").splitlines()[-1]
    assert json.loads(found.partition("=")[2]) == [{"cloud": "aws", "name": "aws-prod"}]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("name: aws-prod\n", "cloud"),
        ("name: aws-prod\ncloud: moon\n", "cloud"),
        ("{name: aws-prod, cloud: aws}\n", "cloud"),
        ("cloud: aws\nname: a;b\n", "name"),
        ("cloud: aws\nname: aws-one\nname: aws-two\n", "name"),
        ("\x00\x01", "cloud"),
    ],
)
def test_a_settings_file_that_can_not_be_listed_stops_the_check(
    tmp_path: Path, text: str, field: str
) -> None:
    _settings(tmp_path, a="name: aws-other\ncloud: aws\n", x=text)
    done, output = _matrix(tmp_path)
    assert done.returncode != 0
    assert f"x.yaml: the field {field} must stand once" in done.stderr
    assert not output.exists()


def test_a_repository_without_settings_says_how_to_write_them(tmp_path: Path) -> None:
    done, _ = _matrix(tmp_path)
    assert done.returncode != 0
    assert "isocenter target init" in done.stderr


# --- the comment ---

COMMENTS = "repos/hospital/isocenter/issues/7/comments"


def _comment(github: Github, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return github.run("comment.py", PR="7", PLANS=str(tmp_path / "plans"), GITHUB_RUN_ID="4711")


def _page(tmp_path: Path, name: str, text: str) -> None:
    folder = tmp_path / "plans" / f"plan-{name}"
    folder.mkdir(parents=True)
    (folder / "plan.md").write_text(text, encoding="utf-8")


def test_the_first_plan_makes_a_comment(github: Github, tmp_path: Path) -> None:
    _page(tmp_path, "gcp-prod", "### Plan for `gcp-prod`\n")
    _page(tmp_path, "aws-prod", "### Plan for `aws-prod`\n")
    github.answers[COMMENTS] = [[{"id": 1, "body": "looks good", "user": {"type": "User"}}]]
    done = _comment(github, tmp_path)
    assert done.returncode == 0, done.stderr
    method, path, given = github.calls[-1]
    assert (method, path) == ("POST", COMMENTS)
    assert given["body"].index("aws-prod") < given["body"].index("gcp-prod")
    assert "4711" in given["body"]


def test_a_later_plan_updates_it_and_leaves_other_comments(github: Github, tmp_path: Path) -> None:
    _page(tmp_path, "aws-prod", "### Plan for `aws-prod`\n")
    marker = "<!-- isocenter: plans -->"
    github.answers[COMMENTS] = [
        [{"id": 1, "body": f"{marker} a person's quotation", "user": {"type": "User"}}],
        [
            {"id": 2, "body": f"see {marker}", "user": {"type": "Bot"}},
            {"id": 3, "body": f"{marker}\nold", "user": {"type": "Bot"}},
        ],
    ]
    assert _comment(github, tmp_path).returncode == 0
    assert github.calls[-1][:2] == ["PATCH", "repos/hospital/isocenter/issues/comments/3"]
    assert len(github.calls) == 2


def test_a_long_plan_is_cut_and_says_so(github: Github, tmp_path: Path) -> None:
    _page(tmp_path, "aws-prod", "x" * 100_000)
    github.answers[COMMENTS] = [[]]
    assert _comment(github, tmp_path).returncode == 0
    body = github.calls[-1][2]["body"]
    assert len(body) < 65_536
    assert "Cut here" in body


# --- the look before an apply ---


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    folder = tmp_path / "plan"
    folder.mkdir()
    (folder / "plan.tfplan").write_bytes(b"a plan")
    (folder / "plan.md").write_text("### Plan for `aws-prod`\n", encoding="utf-8")
    _record(folder, "aws-prod")
    return folder


def _record(folder: Path, target: str) -> str:
    """Write the record as `make plan` does; returns its digest."""
    change = pytest.importorskip("isocenter_infra.change.plan", reason="LACKS: isocenter-infra")
    record = change.PlanRecord(
        target=target,
        document="sha256:" + "d" * 64,
        plan=digest_file(folder / "plan.tfplan"),
        terraform="terraform 1.11.4",
        made_at=datetime(2026, 11, 24, tzinfo=UTC),
        changes={"create": 3},
    )
    (folder / "plan.json").write_text(record.model_dump_json(indent=2), encoding="utf-8")
    digest: str = record.digest
    return digest


def _merged(github: Github, **changes: Any) -> None:
    run = {
        "path": ".github/workflows/plan.yml",
        "event": "pull_request",
        "conclusion": "success",
        "head_repository": {"full_name": "hospital/isocenter"},
        "head_sha": COMMIT,
    }
    pull = {"merged_at": "2026-11-24T20:00:00Z", "head": {"sha": COMMIT}, "base": {"ref": "main"}}
    github.answers = {
        "repos/hospital/isocenter/actions/runs/4711": run | {k: v for k, v in changes.items() if k in run},
        f"repos/hospital/isocenter/commits/{COMMIT}/pulls": [
            pull | {k: v for k, v in changes.items() if k in pull}
        ],
    }


def _review(github: Github, plan: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    given = {"RUN": "4711", "DEPLOYMENT": "aws-prod", "DIGEST": _record(plan, "aws-prod"), "PLAN": str(plan)}
    return github.run("review.py", **given | environ)


def test_an_approved_plan_is_shown(github: Github, plan: Path, tmp_path: Path) -> None:
    _merged(github)
    summary = tmp_path / "summary.md"
    done = _review(github, plan, GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 0, done.stderr
    assert "Plan for `aws-prod`" in summary.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"path": ".github/workflows/other.yml"}, "path"),
        ({"event": "push"}, "event"),
        ({"conclusion": "failure"}, "conclusion"),
        ({"head_repository": {"full_name": "stranger/isocenter"}}, "another repository"),
        ({"merged_at": None}, "not what was merged"),
        ({"head": {"sha": "d" * 40}}, "not what was merged"),
        ({"base": {"ref": "feature"}}, "not what was merged"),
    ],
)
def test_a_plan_of_what_was_not_merged_is_refused(
    github: Github, plan: Path, changes: dict[str, Any], said: str
) -> None:
    _merged(github, **changes)
    done = _review(github, plan)
    assert done.returncode != 0
    assert said in done.stderr


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"DIGEST": "sha256:" + "e" * 64}, "not the approved"),
        ({"DIGEST": "latest"}, "is no digest"),
        ({"DEPLOYMENT": "../../etc"}, "is no name"),
        ({"DEPLOYMENT": "aws-test"}, "not for aws-test"),
        ({"RUN": "1/../2"}, "is no number"),
    ],
)
def test_another_plan_than_the_approved_one_is_refused(
    github: Github, plan: Path, environ: dict[str, str], said: str
) -> None:
    _merged(github)
    done = _review(github, plan, **environ)
    assert done.returncode != 0
    assert said in done.stderr


def test_a_changed_plan_file_is_refused(github: Github, plan: Path) -> None:
    _merged(github)
    digest = _record(plan, "aws-prod")
    (plan / "plan.tfplan").write_bytes(b"another plan")
    given = {"RUN": "4711", "DEPLOYMENT": "aws-prod", "DIGEST": digest, "PLAN": str(plan)}
    done = github.run("review.py", **given)
    assert done.returncode != 0
    assert "was changed" in done.stderr
