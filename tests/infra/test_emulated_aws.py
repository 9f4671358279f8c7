"""The way a change goes, for real: terraform with the AWS provider against a moto server.

One story in order, because each apply takes a minute: the cloud dies, interrupted, deployed to the end,
looked at, changed by hand, tampered with, destroyed.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError
from infra_examples import DEPLOYMENTS

from isocenter_infra.terraform.plugins import find_provider

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
NAME = "aws-example"


@dataclass(frozen=True)
class Place:
    """A user's checkout and store, with the emulated deployment in it."""

    root: Path
    environ: dict[str, str] = field(repr=False)

    @property
    def descriptor(self) -> Path:
        return self.root / "deployments" / f"{NAME}-emulated.json"

    @property
    def stack(self) -> Path:
        return self.root / "out" / "emulated" / "stacks" / NAME

    @property
    def plan(self) -> Path:
        return self.root / "out" / "emulated" / "plans" / NAME

    def start(self, verb: str, *options: object) -> "subprocess.Popen[str]":
        folders = ["--deployments", self.root / "deployments", "--outdir", self.root / "out"]
        words = [
            sys.executable,
            "-m",
            "isocenter_infra",
            verb,
            "--cloud",
            "aws",
            "--emulate",
            *folders,
            *options,
        ]
        return subprocess.Popen(
            [str(word) for word in words],
            cwd=self.root,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, verb: str, *options: object) -> "subprocess.CompletedProcess[str]":
        process = self.start(verb, *options)
        out, err = process.communicate(timeout=500)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def isocenter(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "isocenter.cli.main", *words]
        return subprocess.run(
            command, cwd=self.root, env=self.environ, capture_output=True, text=True, check=False
        )

    @property
    def server(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            (self.root / "store" / "emulators" / "aws-deployed.json").read_bytes()
        )
        return found

    def client(self, service: str) -> Any:
        import boto3

        return boto3.client(
            service,
            region_name="eu-central-1",
            endpoint_url=self.server["endpoint"],
            aws_access_key_id="emulated",
            aws_secret_access_key="emulated",
        )

    def made(self) -> int:
        """How many things of some kinds the emulated cloud holds; 0 where it isn't there."""
        try:
            iam = self.client("iam")
            return (
                len(iam.list_roles()["Roles"])
                + len(iam.list_policies(Scope="Local")["Policies"])
                + len(self.client("logs").describe_log_groups()["logGroups"])
                + len(self.client("cloudwatch").describe_alarms()["MetricAlarms"])
            )
        except (OSError, BotoCoreError):
            return 0

    def buckets(self) -> int:
        """How many buckets the emulated cloud holds; 0 where it isn't there."""
        try:
            return len(self.client("s3").list_buckets()["Buckets"])
        except (OSError, BotoCoreError):
            return 0

    def start_deploying(self, more: int, *, buckets: int = 0) -> "subprocess.Popen[str]":
        """A deploy whose apply has just made ``more`` things, and has ``buckets``: it is in the middle."""
        before = self.made()
        process = self.start("deploy", "--auto-approve")
        while self.made() < before + more or self.buckets() < buckets:
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        return process


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if not (shutil.which("terraform") or shutil.which("tofu")):
        pytest.skip("LACKS: terraform or tofu, for deploying to an emulated AWS")
    provider = find_provider("aws", os.environ)
    if provider is None:
        pytest.skip("LACKS: the AWS provider on disk (set TF_PLUGIN_DIR), for deploying to an emulated AWS")
    root = tmp_path_factory.mktemp("emulated")
    (root / "deployments").mkdir()
    shutil.copy(DEPLOYMENTS / f"{NAME}.yaml", root / "deployments")
    without = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own = {"ISOCENTER_HOME": str(root / "store"), "TF_PLUGIN_DIR": str(provider.plugin_dir)}
    made = Place(root, without | own | {"PYTHONUNBUFFERED": "1"})
    yield made
    with contextlib.suppress(ProcessLookupError):
        os.kill(made.server["pid"], signal.SIGKILL)


def test_a_stop_in_the_middle_of_an_apply(place: Place) -> None:
    """As a workflow is stopped; Ctrl-C does the same. Terraform ends what it is at, and lets go."""
    process = place.start_deploying(4)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "Run the same command again to continue" in err
    assert not place.descriptor.exists()


def test_the_cloud_dies_in_the_middle_of_an_apply(place: Place) -> None:
    """Once the buckets are there: for a new one the provider would wait for twenty minutes."""
    stack = json.loads((place.stack / "cdk.tf.json").read_bytes())
    process = place.start_deploying(2, buckets=len(stack["resource"]["aws_s3_bucket"]))
    os.kill(place.server["pid"], signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 7, err
    assert "can't be reached" in err
    assert not place.descriptor.exists()


def test_deployed_again_it_ends_whole(place: Place) -> None:
    """The state tells of what an account that is gone held; all is made, and nothing twice."""
    done = place.run("deploy", "--auto-approve")
    assert done.returncode == 0, done.stderr
    assert "Left out: the emulator can't hold it" in done.stdout
    assert "A second plan is empty." in done.stderr
    assert re.search(r"Applying: \d+ of \d+ resources", done.stderr), "a log shows that something moves"
    assert f"Deployed {NAME}-emulated" in done.stdout
    descriptor = json.loads(place.descriptor.read_bytes())
    assert descriptor["buckets"]["data"] == "s3://aws-example-123456789012-data"
    assert descriptor["endpoints"] == {"aws": place.server["endpoint"]}
    assert set(descriptor["identities"]) >= {"training", "serving", "ci-plan", "ci-deploy", "auditor"}
    assert [gpu["machine"] for gpu in descriptor["gpu"]] == ["ml.g6.2xlarge", "ml.p4de.24xlarge"]
    assert "aws_budgets_budget" in descriptor["left_out"]
    assert descriptor["endpoint_bounds"] == {"chest-xray": {"min_instances": 1, "max_instances": 4}}


def test_what_was_deployed_is_there(place: Place) -> None:
    s3 = place.client("s3")
    audit = "aws-example-123456789012-audit"
    lock = s3.get_object_lock_configuration(Bucket=audit)["ObjectLockConfiguration"]
    retention = lock["Rule"]["DefaultRetention"]
    assert (retention["Mode"], retention["Years"]) == ("COMPLIANCE", 7)
    trail = place.client("cloudtrail").get_trail(Name="aws-example-audit")["Trail"]
    assert (trail["LogFileValidationEnabled"], trail["IsMultiRegionTrail"]) == (True, True)
    versions = s3.list_object_versions(Bucket="aws-example-123456789012-tfstate")["Versions"]
    assert {each["Key"] for each in versions} >= {"aws-example.tfstate", "aws-example-state.tfstate"}
    states = [path for path in (place.root / "out").rglob("*.tfstate") if path.parent.name != ".terraform"]
    assert not states, "a state lies on this machine"


def test_the_target_can_be_used(place: Place) -> None:
    shown = place.isocenter("target", "show", f"{NAME}-emulated", "--json")
    assert json.loads(shown.stdout)["emulated"] is True
    checked = place.isocenter("target", "check", f"{NAME}-emulated", "--json")
    assert checked.returncode == 0, checked.stdout
    assert {probe["what"] for probe in json.loads(checked.stdout)} >= {"endpoint aws", "bucket data"}


def test_its_training_jobs_really_run(place: Place) -> None:
    """With the roles, network, keys and buckets that were deployed; the program is the real one."""
    from isocenter.backends.sagemaker import SageMakerBackend
    from isocenter.domain.run import JobState, new_run_id
    from isocenter.domain.training_job import TrainingJob
    from isocenter.home import Home
    from isocenter.targets.descriptor import read_descriptor

    backend = SageMakerBackend(Home(place.root / "store"), read_descriptor(place.descriptor).settings)
    handle = backend.submit(backend.plan(TrainingJob("train", ("train",)), new_run_id()))
    lines = list(backend.logs(handle, follow=True))
    status = backend.status(handle)
    assert (status.state, status.exit_code) == (JobState.FAILED, 3), lines


def test_an_endpoints_alarm_takes_every_variant(place: Place) -> None:
    """A rollout names them, and scales them: there is none yet, and nothing to scale."""
    cloudwatch, scaling = place.client("cloudwatch"), place.client("application-autoscaling")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["aws-example-chest-xray-errors"])["MetricAlarms"]
    (query,) = alarm["Metrics"]
    assert query["Expression"].endswith(" WHERE EndpointName = 'aws-example-chest-xray'")
    assert "AllTraffic" not in json.dumps(alarm, default=str)
    assert (alarm["AlarmActions"], alarm["TreatMissingData"]) == (
        [place.client("sns").list_topics()["Topics"][0]["TopicArn"]],
        "notBreaching",
    )
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []


def test_a_rollout_scales_its_endpoint_within_the_settings(place: Place, registered: Path) -> None:
    """Of what it makes Terraform has nothing: a later plan is empty."""
    pytest.importorskip("gunicorn", reason="LACKS: isocenter-serving's packages, for a real endpoint")
    from registrations import DATASET, RUN, complete_card

    from isocenter.domain.artifact import MediaType
    from isocenter.home import Home
    from isocenter.registry.opening import open_registry
    from isocenter.storage.artifacts import ArtifactStore

    scaling = place.client("application-autoscaling")
    home = Home(place.root / "store")
    model = ArtifactStore(home).publish(registered, name="model", media_type=MediaType.BUNDLE)
    card = complete_card()
    open_registry(home).register("cxr", model, dataset_digest=DATASET, run=RUN, metrics={}, card=card)
    words = ("chest-xray", "cxr:1", "--target", f"{NAME}-emulated", "--reason", "the first")
    made = place.isocenter("endpoint", "deploy", *words, "--cpus", "1", "--memory", "2")
    assert made.returncode == 0, made.stderr
    (scaled,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert scaled["ResourceId"] == f"endpoint/{NAME}-emulated-chest-xray/variant/cxr-1"
    assert (scaled["MinCapacity"], scaled["MaxCapacity"]) == (1, 4)
    beyond = place.isocenter("endpoint", "deploy", *words, "--max-instances", "5")
    assert (beyond.returncode, "allows 1 to 4 instances" in beyond.stderr) == (3, True), beyond.stderr
    gone = place.isocenter("endpoint", "delete", "chest-xray", "--reason", "the story goes on")
    assert gone.returncode == 0, gone.stderr
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []


def state_versions(place: Place) -> list[tuple[str, str]]:
    """All that was ever written to the states' bucket, locks and deletions too."""
    listed = place.client("s3").list_object_versions(Bucket="aws-example-123456789012-tfstate")
    found = [*listed["Versions"], *listed.get("DeleteMarkers", ())]
    return sorted((each["Key"], each["VersionId"]) for each in found)


def test_a_second_plan_is_empty(place: Place) -> None:
    done = place.run("plan", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["resources"] == []


def test_a_plan_that_was_edited_by_hand_is_not_applied(place: Place) -> None:
    record = place.plan / "plan.json"
    body = json.loads(record.read_bytes())
    record.write_text(json.dumps(body | {"plan": "sha256:" + "0" * 64}))
    edited = place.run("deploy", "--plan", place.plan, "--auto-approve")
    assert edited.returncode == 6, edited.stderr
    assert "not the one that was approved" in edited.stderr
    fewer = body["changes"] | {"update": body["changes"]["update"] + 1}
    record.write_text(json.dumps(body | {"changes": fewer}))
    counted = place.run("deploy", "--plan", place.plan, "--auto-approve")
    assert (counted.returncode, "counts other changes" in counted.stderr) == (6, True), counted.stderr
    record.write_text(json.dumps(body))
    alone = place.run("deploy", "--digest", "sha256:" + "1" * 64, "--auto-approve")
    assert (alone.returncode, "not said where its plan lies" in alone.stderr) == (3, True), alone.stderr
    other = place.run("deploy", "--plan", place.plan, "--digest", "sha256:" + "1" * 64, "--auto-approve")
    assert other.returncode == 6, other.stderr
    (place.plan / "plan.tfplan").write_bytes((place.plan / "plan.tfplan").read_bytes() + b"x")
    assert place.run("deploy", "--plan", place.plan, "--auto-approve").returncode == 6


def change_settings(place: Place, old: str, new: str) -> None:
    path = place.root / "deployments" / f"{NAME}.yaml"
    path.write_text(path.read_text().replace(old, new))


def test_a_reviewed_plan_is_applied_and_an_older_one_refused(place: Place) -> None:
    change_settings(place, "security@hospital.example", "alarms@hospital.example")
    before = state_versions(place)
    planned = place.run("plan", "--json")
    assert planned.returncode == 0, planned.stderr
    assert state_versions(place) == before, "a pull request's role can only read: no state, no lock"
    reviewed = json.loads(planned.stdout)
    (argument,) = reviewed["resources"][0]["arguments"]
    assert (argument["path"], argument["forces_replacement"]) == ("endpoint", True)
    assert (argument["old"], argument["new"]) == ("security@hospital.example", "alarms@hospital.example")
    line = "`endpoint: security@hospital.example → alarms@hospital.example` **forces replacement**"
    assert line in (place.plan / "plan.md").read_text()
    assert {each["address"].split(".")[0] for each in reviewed["resources"]} == {"aws_sns_topic_subscription"}
    kept = place.root / "kept"
    shutil.copytree(place.plan, kept)
    applied = place.run("deploy", "--plan", place.plan, "--digest", reviewed["digest"], "--auto-approve")
    assert applied.returncode == 0, applied.stderr
    assert "endpoint: security@hospital.example → alarms@hospital.example" in applied.stdout

    shutil.rmtree(place.plan)
    shutil.copytree(kept, place.plan)
    stale = place.run("deploy", "--plan", place.plan, "--digest", reviewed["digest"], "--auto-approve")
    assert stale.returncode == 6, stale.stderr
    assert "has changed since this plan was made" in stale.stderr

    shutil.rmtree(place.plan)
    shutil.copytree(kept, place.plan)
    change_settings(place, "audit_years: 7", "audit_years: 8")
    change_settings(place, "monthly: 5000", "monthly: 6000")
    other = place.run("deploy", "--plan", place.plan, "--auto-approve")
    assert other.returncode == 6, other.stderr
    assert "made from other sources or settings" in other.stderr or "changed since" in other.stderr
    change_settings(place, "monthly: 6000", "monthly: 5000")


def pull(place: Place) -> str:
    """The state, as it lies in its bucket."""
    keys = {"AWS_ACCESS_KEY_ID": "emulated", "AWS_SECRET_ACCESS_KEY": "emulated"}
    words = ["terraform", "state", "pull"]
    environ = place.environ | keys
    done = subprocess.run(words, cwd=place.stack, env=environ, capture_output=True, text=True, check=True)
    return done.stdout


def test_after_an_unsaved_state_no_older_plan_is_applied(place: Place) -> None:
    """As where the states' bucket couldn't be reached at the end of an apply."""
    state = json.loads(pull(place))
    unsaved = place.stack / "errored.tfstate"
    unsaved.write_text(json.dumps(state | {"serial": state["serial"] + 1}))
    before = state_versions(place)
    planned = place.run("plan", "--json")
    assert planned.returncode == 0, planned.stderr
    assert "make deploy saves it first" in planned.stderr
    assert unsaved.exists()
    assert state_versions(place) == before
    digest = json.loads(planned.stdout)["digest"]
    refused = place.run("deploy", "--plan", place.plan, "--digest", digest, "--auto-approve")
    assert refused.returncode == 6, refused.stderr
    assert "The last apply was interrupted, and this plan doesn't know" in refused.stderr
    assert not unsaved.exists()
    assert state_versions(place) != before
    again = place.run("deploy", "--auto-approve")
    assert again.returncode == 0, again.stderr

    state = json.loads(pull(place))
    unsaved.write_text(json.dumps(state | {"serial": state["serial"] + 1}))
    before = state_versions(place)
    saved = place.run("save-state")
    assert saved.returncode == 0, saved.stderr
    assert "is saved now" in saved.stdout
    assert not unsaved.exists()
    assert state_versions(place) != before
    assert json.loads(pull(place))["serial"] > state["serial"]
    assert "nothing unsaved" in place.run("save-state").stdout


def test_a_shorter_retention_is_refused_in_plan_and_deploy(place: Place) -> None:
    """Whoever edits the settings, and whoever deploys a plan that somebody else made of them."""
    change_settings(place, "budget:", "retention: {audit_years: 6}\nbudget:")
    for verb in (["plan"], ["deploy", "--auto-approve"]):
        done = place.run(*verb)
        assert done.returncode == 8, done.stderr
        assert "rule[0].default_retention 7 years → 6 years" in done.stderr
        assert "retention.audit_years" in done.stderr
    change_settings(place, "retention: {audit_years: 6}\nbudget:", "budget:")


def test_nothing_is_applied_without_the_name(place: Place) -> None:
    change_settings(place, "alarms@hospital.example", "night@hospital.example")
    done = place.run("deploy")
    assert done.returncode == 8, done.stderr
    assert "nobody is here to type the deployment's name" in done.stderr
    change_settings(place, "night@hospital.example", "alarms@hospital.example")


def open_by_hand(place: Place) -> None:
    """Give a role of the deployment every right, in both ways, and its network a way to the internet."""
    iam, ec2, role = place.client("iam"), place.client("ec2"), "aws-example-training"
    iam.attach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="everything", PolicyDocument=json.dumps(everything))
    named = [{"Name": "tag:Name", "Values": ["aws-example"]}]
    (routes,) = ec2.describe_route_tables(Filters=named)["RouteTables"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=routes["VpcId"])
    ec2.create_route(RouteTableId=routes["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)


def test_a_change_by_hand_is_found(place: Place) -> None:
    before = state_versions(place)
    assert place.run("drift").returncode == 0
    assert state_versions(place) == before, "no lock either"
    place.client("s3").put_bucket_versioning(
        Bucket="aws-example-123456789012-data", VersioningConfiguration={"Status": "Suspended"}
    )
    alarms = place.client("sns").list_subscriptions()["Subscriptions"]
    place.client("sns").unsubscribe(SubscriptionArn=alarms[0]["SubscriptionArn"])
    open_by_hand(place)
    found = place.run("drift", "--json")
    assert found.returncode == 6, found.stderr
    assert "Beyond this look: " in found.stderr
    gone, *added, changed = json.loads(found.stdout.split('{"error"')[0])
    assert [each["address"].partition(".")[0] for each in added] == [
        "aws_iam_role_policies_exclusive",
        "aws_iam_role_policy_attachments_exclusive",
        "aws_route_table",
    ]
    news = [argument["new"] for each in added for argument in each["arguments"]]
    assert news[:3] == ["everything", "arn:aws:iam::aws:policy/AdministratorAccess", "0.0.0.0/0"]
    assert (gone["action"], gone["address"].partition(".")[0]) == ("gone", "aws_sns_topic_subscription")
    assert changed["action"] == "changed by hand"
    assert "aws_s3_bucket_versioning.storage_data_" in changed["address"]
    (status,) = changed["arguments"]
    assert (status["path"], status["old"], status["new"]) == (
        "versioning_configuration[0].status",
        "Enabled",
        "Suspended",
    )
    put_back = place.run("deploy", "--auto-approve")
    assert put_back.returncode == 0, put_back.stderr
    assert "A second plan is empty." in put_back.stderr
    assert place.client("iam").list_role_policies(RoleName="aws-example-training")["PolicyNames"] == []
    attached = place.client("iam").list_attached_role_policies(RoleName="aws-example-training")
    assert [each["PolicyName"] for each in attached["AttachedPolicies"]] == ["aws-example-training"]


def test_a_locked_state_names_who_holds_it(place: Place) -> None:
    lock = {
        "ID": "11111111-2222",
        "Who": "somebody@elsewhere",
        "Created": "2026-11-24T10:00:00Z",
        "Path": "x",
    }
    lock |= {"Operation": "OperationTypeApply", "Info": "", "Version": "1.11.4"}
    s3, bucket, key = place.client("s3"), "aws-example-123456789012-tfstate", "aws-example.tfstate.tflock"
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(lock).encode())
    looked = place.run("plan")
    done = place.run("deploy", "--auto-approve")
    s3.delete_object(Bucket=bucket, Key=key)
    assert looked.returncode == 0, "whoever only looks takes no lock, and waits for none"
    assert done.returncode == 7, done.stdout + done.stderr
    assert "somebody@elsewhere" in done.stderr
    assert "since 2026-11-24 10:00:00" in done.stderr
    assert "terraform force-unlock" in done.stderr


def test_destroying_is_refused_then_forced_with_a_reason(place: Place) -> None:
    refused = place.run("destroy", "--auto-approve")
    assert refused.returncode == 8, refused.stderr
    assert "5 aws_kms_key" in refused.stderr
    without = place.run("destroy", "--force", "--auto-approve")
    assert without.returncode == 8
    assert "needs a reason" in without.stderr
    done = place.run("destroy", "--force", "--reason", "end of the trial", "--auto-approve")
    assert done.returncode == 0, done.stderr
    assert not place.descriptor.exists()
    assert place.client("s3").list_buckets()["Buckets"] == []


def test_every_verb_left_its_record(place: Place) -> None:
    listed = json.loads(place.isocenter("audit", "list", "--json", "--limit", "100").stdout)
    about = f"deployment:{NAME}-emulated"
    found = [(each["action"], each["outcome"]) for each in listed if each["object"] == about]
    for action in ("deploy", "plan", "drift", "destroy"):
        assert (f"deployment.{action}", "success") in found
    assert ("deployment.deploy", "failure") in found
    assert ("deployment.deploy.begin", "success") in found
    assert ("deployment.destroy", "denied") in found
    (forced,) = [
        each for each in listed if each["action"] == "deployment.destroy" and each["outcome"] == "success"
    ]
    assert forced["details"]["reason"] == "end of the trial"
    assert place.isocenter("audit", "verify").returncode == 0
