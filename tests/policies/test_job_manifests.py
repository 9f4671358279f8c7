"""What others say of the pods that our rules let through: checkov's own checks, and the stacks' rules."""

import json
import subprocess
from pathlib import Path
from typing import Any

from policies.case import changed
from policies.conftest import Scan
from policies.golden_targets import golden

# What checkov asks of a manifest and ours leaves to something else.
LEFT_TO_OTHERS = {
    "CKV2_K8S_6": "the namespace's network policies are the stack's (ISO_K8S_002, ISO_K8S_003)",
    "CKV_K8S_35": "the object store's client reads its credentials there; they are secretKeyRefs",
}
_JUDGE = (
    "import json, sys\n"
    "from checkov.kubernetes.runner import Runner\n"
    "from checkov.runner_filter import RunnerFilter\n"
    "quiet = RunnerFilter(framework=['kubernetes'], show_progress_bar=False)\n"
    "report = Runner().run(root_folder=None, files=sys.argv[1:], runner_filter=quiet)\n"
    "failed = sorted({check.check_id for check in report.failed_checks})\n"
    "print(json.dumps([failed, len(report.passed_checks)]))\n"
)


def manifests() -> dict[str, dict[str, Any]]:
    """The golden request's objects, in the namespace that they are sent to."""
    request = golden("kubernetes").request
    return {
        f"{form}_{part}": changed(body, "metadata.namespace", request["namespace"])
        for form in ("without_trainer", "with_trainer")
        for part, body in request[form].items()
    }


def test_checkovs_own_checks_pass_the_job(policy_python: Path, tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_text(json.dumps(manifests()["without_trainer_job"]))
    done = subprocess.run([policy_python, "-c", _JUDGE, path], capture_output=True, text=True, check=True)
    failed, passed = json.loads(done.stdout.splitlines()[-1])
    assert set(failed) == set(LEFT_TO_OTHERS)
    assert passed > 60


def test_the_stacks_rules_pass_the_manifests_and_find_a_privileged_one(
    policies: Scan, tmp_path: Path, no_exceptions: Path
) -> None:
    good = manifests()
    place = "spec.template.spec.containers.0.securityContext.privileged"
    bad = changed(good["without_trainer_job"], place, True)
    named = {name: {"manifest": body} for name, body in (*good.items(), ("privileged", bad))}
    path = tmp_path / "cdk.tf.json"
    path.write_text(json.dumps({"resource": {"kubernetes_manifest": named}}))
    done = policies("scan", path, "--json", "--rules", "own", "--exceptions", no_exceptions)
    found = json.loads(done.stdout)
    pod_findings = [f["resource"] for f in found["findings"] if f["rule"] == "ISO_K8S_014"]
    assert pod_findings == ["kubernetes_manifest.privileged"]
    assert len(found["files"][0]["kept"]["ISO_K8S_014"]) == len(good)
