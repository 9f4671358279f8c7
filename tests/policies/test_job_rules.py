"""The rules for jobs: each backend's real Submission keeps them, and each single change breaks just one."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml

from isocenter.domain.submission import Submission
from isocenter.errors import InputError, PolicyError
from isocenter.policy import check, refuse_unless_kept
from isocenter.policy.catalogue import RULES
from policies.case import changed
from policies.cases_jobs import ALLOWED, CASES, JobCase
from policies.conftest import REPOSITORY
from policies.golden_targets import golden, target_of

BACKENDS = ("azureml", "kubernetes", "sagemaker", "vertex")


def mutated(backend: str, path: str, value: Any) -> Submission:
    whole = golden(backend)
    return replace(whole, request=changed(whole.request, path, value))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_real_submission_keeps_every_rule(backend: str) -> None:
    verdict = check(golden(backend), target_of(backend))
    assert [finding.sentence for finding in verdict.findings] == []
    assert verdict.not_checked == ()
    assert set(verdict.kept) == {rule.id for rule in RULES if rule.is_about(backend)}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.rule}-{c.backend}-{c.path.rpartition('.')[2]}")
def test_one_change_breaks_one_rule(case: JobCase) -> None:
    verdict = check(mutated(case.backend, case.path, case.value), target_of(case.backend))
    assert {finding.rule.id for finding in verdict.findings} == {case.rule}


@pytest.mark.parametrize(("backend", "path", "value"), ALLOWED, ids=lambda part: str(part)[-30:])
def test_what_is_no_breach_is_not_found(backend: str, path: str, value: Any) -> None:
    verdict = check(mutated(backend, path, value), target_of(backend))
    assert [finding.sentence for finding in verdict.findings] == []


def test_each_rule_has_a_case_for_each_service_that_it_is_about() -> None:
    wanted = {(rule.id, backend) for rule in RULES for backend in BACKENDS if rule.is_about(backend)}
    assert {(case.rule, case.backend) for case in CASES} == wanted


def test_each_rule_is_a_file_and_counts() -> None:
    files = {f.stem for f in (REPOSITORY / "platform/isocenter/policy/rules").glob("*.py")} - {"__init__"}
    assert {type(rule).__module__.rpartition(".")[2] for rule in RULES} == files
    assert [rule.id for rule in RULES] == [f"ISO_JOB_{number:03}" for number in range(1, len(RULES) + 1)]


def test_every_rule_says_why_and_how_to_mend_it_in_a_sentence() -> None:
    for rule in RULES:
        assert rule.why.endswith(".") and rule.fix.endswith("."), rule.id
        assert rule.title and not rule.title.endswith("."), rule.id
        assert rule.severity in ("low", "medium", "high", "critical")


def test_the_pack_lists_each_rule_under_its_control_with_its_citations() -> None:
    pack = yaml.safe_load((REPOSITORY / "policies/packs/hipaa.yaml").read_text())
    listed = {
        rule: (number, tuple(control["citations"]))
        for number, control in pack["controls"].items()
        for rule in control.get("jobs", ())
    }
    assert listed == {rule.id: (rule.control, rule.citations) for rule in RULES}


def test_the_documentation_lists_each_rule() -> None:
    text = (REPOSITORY / "docs/training-on-a-target.md").read_text()
    for rule in RULES:
        assert f"| {rule.id} | {rule.title} |" in text, rule.id


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_a_target_what_only_it_can_tell_is_said_to_be_unchecked(backend: str) -> None:
    verdict = check(golden(backend), None)
    assert verdict.findings == ()
    assert set(verdict.not_checked) == {r.id for r in RULES if r.is_about(backend) and r.needs_target}
    assert verdict.not_checked


def test_a_refusal_names_rule_field_and_remedy() -> None:
    broken = mutated("vertex", "customJob.jobSpec.serviceAccount", "other@hospital.iam.gserviceaccount.com")
    with pytest.raises(PolicyError) as caught:
        refuse_unless_kept(broken, target_of("vertex"))
    for said in ("gcp-prod", "ISO_JOB_006", "customJob.jobSpec.serviceAccount", "identities.training"):
        assert said in caught.value.message


def test_no_message_holds_the_secret_that_it_is_about() -> None:
    for case in CASES:
        if case.rule == "ISO_JOB_013":
            verdict = check(mutated(case.backend, case.path, case.value), target_of(case.backend))
            said = json.dumps(verdict.as_json())
            assert "sesame" not in said and "AKIA" not in said and "ghp_" not in said


@pytest.mark.parametrize("backend", BACKENDS)
def test_silence_about_an_empty_request_is_no_approval(backend: str) -> None:
    empty: Mapping[str, Any] = {}
    if backend == "kubernetes":
        with pytest.raises(InputError, match="no pod"):
            check(replace(golden(backend), request=empty), target_of(backend))
    else:
        assert check(replace(golden(backend), request=empty), target_of(backend)).findings


@pytest.mark.parametrize("form", ["with_trainer.support.spec.template", "without_trainer.job.spec"])
def test_a_form_of_a_job_without_a_pod_is_refused(form: str) -> None:
    """The other form's pods say nothing about this one."""
    with pytest.raises(InputError, match=form.partition(".")[0]):
        check(mutated("kubernetes", form, {}), target_of("kubernetes"))


def test_a_request_of_another_shape_is_a_finding_not_a_crash() -> None:
    verdict = check(mutated("sagemaker", "Tags", ["owner"]), target_of("sagemaker"))
    (finding,) = verdict.findings
    assert finding.rule.id == "ISO_JOB_008"
    assert "could not be asked" in finding.sentence
