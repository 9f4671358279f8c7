"""What the scan says of a document: findings with places, exit codes, the table, the choice of stacks."""

import json
import subprocess
from pathlib import Path

from policies.conftest import REPOSITORY, Scan
from policies.documents import KEY, WEAK_KEY, document, write


def weak(tmp_path: Path) -> Path:
    return write(tmp_path, document(aws_kms_key={"data": WEAK_KEY, "other": KEY}))


def test_a_good_document_passes(policies: Scan, tmp_path: Path, no_exceptions: Path) -> None:
    done = policies("scan", write(tmp_path, document()), "--exceptions", no_exceptions)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed:" in done.stdout


def test_a_finding_says_all_that_a_reader_needs(policies: Scan, tmp_path: Path, no_exceptions: Path) -> None:
    done = policies("scan", weak(tmp_path), "--json", "--exceptions", no_exceptions)
    assert done.returncode == 8
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["rule"] == "ISO_AWS_001"
    assert finding["severity"] == "high"
    assert finding["control"] == 1
    assert finding["citations"] == ["45 CFR 164.312(a)(2)(iv)"]
    assert finding["resource"] == "aws_kms_key.data"
    assert (finding["file"], finding["line"]) == ("infra/isocenter_infra/aws/keys.py", 71)
    assert finding["why"].endswith(".") and finding["fix"].endswith(".")
    assert finding["state"] == "open"


def test_the_table_names_rule_citation_reason_mending_and_place(
    policies: Scan, tmp_path: Path, no_exceptions: Path
) -> None:
    text = policies("scan", weak(tmp_path), "--exceptions", no_exceptions).stdout
    for expected in (
        "ISO_AWS_001",
        "45 CFR 164.312(a)(2)(iv)",
        "Why:",
        "Fix: Set deletion_window_in_days",
        "aws_kms_key.data",
        "infra/isocenter_infra/aws/keys.py:71",
        "Refused:",
    ):
        assert expected in text
    assert "aws_kms_key.other" not in text


def test_json_holds_the_evidence_of_what_was_kept(
    policies: Scan, tmp_path: Path, no_exceptions: Path
) -> None:
    done = policies("scan", weak(tmp_path), "--json", "--exceptions", no_exceptions)
    (file,) = json.loads(done.stdout)["files"]
    assert file["kept"]["ISO_AWS_001"] == ["aws_kms_key.other"]
    assert file["resources"] == 2
    assert file["failed"] == 1
    assert file["passed"] == sum(map(len, file["kept"].values()))


def test_failed_excused_and_passed_are_counted_apart(policies: Scan, tmp_path: Path) -> None:
    keys = {"data": WEAK_KEY, "old": WEAK_KEY, "other": KEY}
    path = write(tmp_path, document(aws_kms_key=keys))
    exceptions = tmp_path / "exceptions.yaml"
    entry = "- {rule: ISO_AWS_001, resource: %s, owner: the-owner, reason: the reason, until: 2999-01-01}\n"
    exceptions.write_text(entry % "aws_kms_key.old")
    body = json.loads(policies("scan", path, "--json", "--exceptions", exceptions).stdout)
    (file,) = body["files"]
    assert (file["failed"], file["excused"]) == (1, 1)
    text = policies("scan", path, "--exceptions", exceptions).stdout
    assert f"1 failed, 1 excused, {file['passed']} passed" in text
    assert "demo: aws_kms_key.data" in text
    (line,) = [line for line in text.splitlines() if line.startswith("excused")]
    assert line == (
        "excused ISO_AWS_001 demo: aws_kms_key.old: the reason (owner the-owner, until 2999-01-01)"
    )
    exceptions.write_text(entry % "aws_kms_key.old" + entry % "aws_kms_key.data")
    done = policies("scan", path, "--exceptions", exceptions)
    assert done.returncode == 0
    assert "Passed:" in done.stdout
    assert "0 failed, 2 excused" in done.stdout.splitlines()[-1]


def test_below_the_threshold_findings_are_shown_and_pass(
    policies: Scan, tmp_path: Path, no_exceptions: Path
) -> None:
    done = policies("scan", weak(tmp_path), "--fail-on", "critical", "--exceptions", no_exceptions)
    assert done.returncode == 0
    assert "ISO_AWS_001" in done.stdout


def test_a_folder_of_stacks_is_scanned_and_a_cloud_chosen(
    policies: Scan, tmp_path: Path, no_exceptions: Path
) -> None:
    aws = document() | {"provider": {"aws": []}}
    bucket = {"name": "x", "public_access_prevention": "inherited"}
    gcp = document(google_storage_bucket={"b": bucket}, google_kms_crypto_key={"k": {}})
    write(tmp_path, aws, "aws-demo")
    write(tmp_path, gcp | {"provider": {"google": []}}, "gcp-demo")
    everything = policies("scan", tmp_path, "--json", "--exceptions", no_exceptions, "--rules", "own")
    assert [Path(f["path"]).parent.name for f in json.loads(everything.stdout)["files"]] == [
        "aws-demo",
        "gcp-demo",
    ]
    only = policies(
        "scan", tmp_path, "--cloud", "aws", "--json", "--exceptions", no_exceptions, "--rules", "own"
    )
    assert [Path(f["path"]).parent.name for f in json.loads(only.stdout)["files"]] == ["aws-demo"]


def test_resources_of_one_name_in_two_files_are_kept_apart(
    policies: Scan, tmp_path: Path, no_exceptions: Path
) -> None:
    """A bucket in one stack isn't excused by a neighbour of the same name in another."""
    bucket = {"aws_s3_bucket": {"data": {"bucket": "b"}}}
    closed = {"aws_s3_bucket_public_access_block": {"data": {"bucket": "${aws_s3_bucket.data.id}"}}}
    key = {"aws_kms_key": {"k": KEY}}
    open_, shut = document(**key, **bucket), document(**key, **bucket, **closed)
    paths = write(tmp_path, open_, "a"), write(tmp_path, shut, "b")
    done = policies("scan", *paths, "--json", "--exceptions", no_exceptions)
    found = [f["document"] for f in json.loads(done.stdout)["findings"] if f["rule"] == "ISO_AWS_011"]
    assert found == [str(paths[0])]


def test_the_built_in_rules_alone_say_what_checkov_says(
    policies: Scan, policy_python: Path, tmp_path: Path
) -> None:
    """Our way through checkov (no YAML reader, checks loaded one by one) gives what its own runner gives."""
    statement = '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}]}'
    path = write(
        tmp_path,
        document(
            aws_kms_key={"data": {**WEAK_KEY, "enable_key_rotation": False, "policy": statement}},
            aws_s3_bucket={"data": {"bucket": "b"}, "logs": {"bucket": "l"}},
            aws_s3_bucket_versioning={
                "data": {
                    "bucket": "${aws_s3_bucket.data.id}",
                    "versioning_configuration": {"status": "Enabled"},
                }
            },
            aws_iam_policy={"all": {"policy": statement}},
            google_storage_bucket={"b": {"name": "x", "uniform_bucket_level_access": True}},
            azurerm_storage_account={"a": {"min_tls_version": "TLS1_0"}},
        ),
    )
    ours = policies("scan", path, "--rules", "built-in", "--json")
    assert ours.returncode == 8, ours.stderr
    found = sorted((f["rule"], f["resource"].rpartition(".")[2]) for f in json.loads(ours.stdout)["findings"])
    script = (
        "import json, sys\n"
        "from checkov.runner_filter import RunnerFilter\n"
        "from checkov.terraform_json.runner import TerraformJsonRunner\n"
        "quiet = RunnerFilter(show_progress_bar=False)\n"
        "report = TerraformJsonRunner().run(files=sys.argv[1:], runner_filter=quiet)\n"
        "print(json.dumps([[c.check_id, c.resource.rpartition('.')[2]] for c in report.failed_checks]))\n"
    )
    theirs = subprocess.run([policy_python, "-c", script, path], capture_output=True, text=True, check=True)
    assert found == sorted(map(tuple, json.loads(theirs.stdout.splitlines()[-1])))
    assert len(found) > 20


def test_the_pack_names_the_controls_and_citations_of_parity(rules: dict[str, dict[str, object]]) -> None:
    from isocenter_infra.parity import CONTROLS

    citations = {control.number: list(control.citations) for control in CONTROLS}
    for rule in rules.values():
        assert rule["citations"] == citations[rule["control"]], rule["id"]  # type: ignore[index]


def test_every_rule_says_why_and_how_to_mend_it_in_a_sentence(rules: dict[str, dict[str, str]]) -> None:
    for rule in rules.values():
        assert rule["why"].endswith("."), rule["id"]
        assert rule["fix"].endswith("."), rule["id"]
        assert rule["title"] and not rule["title"].endswith("."), rule["id"]


def test_the_scan_reaches_for_no_network_client(policy_python: Path) -> None:
    script = (
        "import sys, isocenter_policies.checks\n"
        "clients = (sys.modules.get(name) for name in ('boto3', 'aiohttp', 'git', 'docker'))\n"
        "print([client for client in clients if getattr(client, '__file__', None)])"
    )
    done = subprocess.run([policy_python, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_make_policy_says_what_to_do_when_nothing_is_synthesized(tmp_path: Path, policy_python: Path) -> None:
    words = [
        "make",
        "--no-print-directory",
        "-o",
        ".venv-policies/.installed",
        "policy",
        f"STACKS={tmp_path}",
    ]
    words += [f"POLICY_PYTHON={policy_python}"]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "make synth" in done.stderr
