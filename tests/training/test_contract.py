"""Where the program is, from what each service leaves: environment, arguments and files."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from isocenter.errors import InputError
from isocenter_training.__main__ import main
from isocenter_training.contract import RunContext, detect, recognise

PLAN = '{"plan": {"name": "Übung"}}'
MakeTree = Callable[..., Path]


def environment(root: Path) -> dict[str, str]:
    return {
        "ISOCENTER_RUN_ID": "01J",
        "ISOCENTER_INPUT_DATASET": str(root),
        "ISOCENTER_PARAMETERS": PLAN,
        "ISOCENTER_MODEL_DIR": str(root / "model"),
        "ISOCENTER_OUTPUT_DIR": str(root / "output"),
        "ISOCENTER_CHECKPOINT_DIR": str(root / "a" / "checkpoint"),
    }


def torchrun(**changes: str) -> dict[str, str]:
    start = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "host", "MASTER_PORT": "29500"}
    return start | changes


def layout(context: RunContext) -> tuple[int, int, int, str, int]:
    return (
        context.rank,
        context.local_rank,
        context.world_size,
        context.master_addr,
        context.master_port,
    )


@pytest.fixture
def opt_ml(tmp_path: Path) -> MakeTree:
    """Makes SageMaker's tree; keywords are hyperparameters."""

    def make(hosts: tuple[str, ...] = ("algo-1",), this: str = "algo-1", **hyperparameters: str) -> Path:
        root = tmp_path / "ml"
        (root / "input" / "config").mkdir(parents=True)
        (root / "input" / "data" / "dataset").mkdir(parents=True)
        texts = {
            "hyperparameters": hyperparameters,
            "resourceconfig": {
                "current_host": this,
                "hosts": list(hosts),
                "network_interface_name": "eth0",
            },
        }
        for name, value in texts.items():
            (root / "input" / "config" / f"{name}.json").write_text(json.dumps(value))
        return root

    return make


class TestLocal:
    def test_variables_become_the_context(self, tmp_path: Path) -> None:
        context = detect(environment(tmp_path))
        assert context == RunContext(
            run_id="01J",
            inputs={"dataset": tmp_path},
            parameters={"plan": {"name": "Übung"}},
            model_dir=tmp_path / "model",
            output_dir=tmp_path / "output",
            checkpoint_dir=tmp_path / "a" / "checkpoint",
        )
        assert context.checkpoint_dir.is_dir()

    def test_arguments_go_before_variables(self, tmp_path: Path) -> None:
        argv = ["evaluate", "--run-id", "2", "--parameters", '{"a": 1}', "--input", f"Model={tmp_path}"]
        context = detect(environment(tmp_path), [*argv, "--output", str(tmp_path / "report")])
        assert (context.program, context.run_id, context.parameters) == ("evaluate", "2", {"a": 1})
        assert context.inputs == {"dataset": tmp_path, "model": tmp_path}
        assert (context.output_dir, context.model_dir) == (tmp_path / "report", tmp_path / "model")

    def test_torchrun_variables_become_ranks(self, tmp_path: Path) -> None:
        assert layout(detect(environment(tmp_path) | torchrun())) == (3, 1, 4, "host", 29500)

    def test_environment_of_a_context_makes_it_again(self, tmp_path: Path) -> None:
        context = detect(environment(tmp_path) | torchrun(ISOCENTER_RENDEZVOUS="/tmp/meet"))
        assert detect(context.environment()) == context

    def test_absent_channel_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"'model'.*channels given: dataset") as caught:
            detect(environment(tmp_path)).input("model")
        assert "ISOCENTER_INPUT_MODEL" in caught.value.hint

    @pytest.mark.parametrize(
        "argv",
        [
            [],
            ["predict"],
            ["train", "--input", "dataset"],
            ["train", "--input", "../x=/data"],
            ["train", "--parameters", "{"],
            ["train", "--nodes", "2"],
        ],
    )
    def test_arguments_that_make_no_sense_are_refused(self, argv: list[str], tmp_path: Path) -> None:
        with pytest.raises(InputError):
            detect(environment(tmp_path), argv)

    @pytest.mark.parametrize("changes", [{"RANK": "4"}, {"WORLD_SIZE": "two"}, {"ISOCENTER_SERVICE": "borg"}])
    def test_variables_that_make_no_sense_are_refused(self, changes: dict[str, str], tmp_path: Path) -> None:
        with pytest.raises(InputError):
            detect(environment(tmp_path) | torchrun() | changes)


@pytest.mark.parametrize(
    ("environ", "service"),
    [
        ({}, "local"),
        ({"AIP_MODEL_DIR": "gs://b/m"}, "vertex"),
        ({"CLOUD_ML_JOB_ID": "7", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "vertex"),
        ({"AZUREML_RUN_ID": "fig"}, "azureml"),
        ({"AZUREML_RUN_ID": "fig", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "azureml"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        ({"ISOCENTER_SERVICE": "kubernetes"}, "kubernetes"),
        ({"ISOCENTER_SERVICE": "local", "AIP_MODEL_DIR": "gs://b/m"}, "local"),
    ],
)
def test_service_is_recognised_by_what_it_leaves(environ: dict[str, str], service: str) -> None:
    found, _ = recognise({"ISOCENTER_SAGEMAKER_ROOT": "/absent"} | environ)
    assert service == found.NAME


class TestSageMaker:
    def test_files_become_the_context(self, opt_ml: MakeTree) -> None:
        root = opt_ml(run_id="01J", parameters=PLAN)
        context = detect({"ISOCENTER_SAGEMAKER_ROOT": str(root)}, ["train"])
        assert context == RunContext(
            run_id="01J",
            inputs={"dataset": root / "input" / "data" / "dataset"},
            parameters={"plan": {"name": "Übung"}},
            model_dir=root / "model",
            output_dir=root / "output" / "data",
            checkpoint_dir=root / "checkpoints",
            service="sagemaker",
        )

    def test_program_and_long_parameters_are_hyperparameters(self, opt_ml: MakeTree) -> None:
        text = json.dumps({"words": ["longer than SageMaker takes"] * 200})
        pieces = {f"parameters_{n}": text[2500 * n : 2500 * n + 2500] for n in range(-(-len(text) // 2500))}
        root = opt_ml(program="evaluate", run_id='"01J"', **pieces)
        context = detect({"ISOCENTER_SAGEMAKER_ROOT": str(root)}, ["train"])
        assert (context.program, context.run_id) == ("evaluate", "01J")
        assert context.parameters == json.loads(text)

    def test_hosts_become_ranks(self, opt_ml: MakeTree) -> None:
        context = detect({"ISOCENTER_SAGEMAKER_ROOT": str(opt_ml(("algo-2", "algo-1"), "algo-2"))})
        assert layout(context) == (1, 0, 2, "algo-1", 29500)
        assert context.environment()["GLOO_SOCKET_IFNAME"] == "eth0"

    @pytest.mark.parametrize(
        "hyperparameters",
        [{"parameters": "{"}, {"parameters_1": "{}"}, {"program": "predict"}, {"hosts": "algo-9"}],
    )
    def test_what_makes_no_sense_is_refused(self, hyperparameters: dict[str, str], opt_ml: MakeTree) -> None:
        this = hyperparameters.pop("hosts", "algo-1")
        with pytest.raises(InputError):
            detect({"ISOCENTER_SAGEMAKER_ROOT": str(opt_ml(this=this, **hyperparameters))})

    def test_reason_is_left_in_output_failure(
        self, opt_ml: MakeTree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        root = opt_ml(parameters='{"plan": {"name": "a"}}')
        monkeypatch.setenv("ISOCENTER_SAGEMAKER_ROOT", str(root))
        assert main(["train"]) == 3
        reason = (root / "output" / "failure").read_text().strip()
        assert reason.startswith("The training plan is wrong")
        errors = capsys.readouterr().err
        assert errors.splitlines()[0].startswith("Service: sagemaker (")
        assert errors.split("\n\n")[-1].strip() == reason


class TestVertexAI:
    @pytest.fixture
    def environ(self, tmp_path: Path) -> dict[str, str]:
        return {
            "AIP_MODEL_DIR": "gs://bucket/run/model/",
            "AIP_CHECKPOINT_DIR": "gs://bucket/run/checkpoints/",
            "ISOCENTER_SCRATCH": str(tmp_path),
        }

    def test_variables_and_arguments_become_the_context(
        self, environ: dict[str, str], tmp_path: Path
    ) -> None:
        argv = ["train", "--run-id", "01J", "--parameters", PLAN, "--input", "dataset=gs://bucket/set"]
        context = detect(environ, argv)
        assert context.service == "vertex"
        assert context.parameters == {"plan": {"name": "Übung"}}
        assert context.remote.inputs == {"dataset": "gs://bucket/set"}
        assert context.remote.outputs == {
            "model": "gs://bucket/run/model",
            "output": "gs://bucket/run/output",
            "checkpoints": "gs://bucket/run/checkpoints",
        }
        assert context.remote.scratch.parent == tmp_path
        assert context.inputs["dataset"].is_relative_to(context.remote.scratch)
        assert detect(environ, [*argv, "--output", "gs://other/o"]).remote.outputs["output"] == "gs://other/o"

    @pytest.mark.parametrize(
        ("task", "expected"),
        [
            (("workerpool0", 0), (0, 0, 3, "one", 2222)),
            (("workerpool1", 0), (1, 0, 3, "one", 2222)),
            (("workerpool1", 1), (2, 0, 3, "one", 2222)),
        ],
    )
    def test_cluster_becomes_ranks(
        self, task: tuple[str, int], expected: tuple[Any, ...], environ: dict[str, str]
    ) -> None:
        cluster = {"workerpool1": ["two:2223", "three:2224"], "workerpool0": ["one:2222"]}
        spec = {"cluster": cluster, "task": {"type": task[0], "index": task[1]}}
        assert layout(detect(environ | {"CLUSTER_SPEC": json.dumps(spec)})) == expected

    @pytest.mark.parametrize(
        "spec", ["{", "{}", '{"cluster": {}, "task": {"type": "workerpool0", "index": 0}}']
    )
    def test_cluster_that_makes_no_sense_is_refused(self, spec: str, environ: dict[str, str]) -> None:
        with pytest.raises(InputError):
            detect(environ | {"CLUSTER_SPEC": spec})


class TestAzureML:
    def argv(self, root: Path) -> list[str]:
        places = [
            word for kind in ("model", "output", "checkpoints") for word in (f"--{kind}", f"{root}/{kind}")
        ]
        return ["train", "--run-id", "1", "--parameters", PLAN, "--input", f"dataset={root}/set", *places]

    def test_mounted_inputs_are_read_in_place_and_outputs_are_copied(self, tmp_path: Path) -> None:
        context = detect({"AZUREML_RUN_ID": "fig"}, self.argv(tmp_path))
        assert context.service == "azureml"
        assert context.inputs == {"dataset": tmp_path / "set"}
        assert context.remote.outputs["model"] == f"file://{tmp_path}/model"

    def test_distribution_becomes_ranks(self, tmp_path: Path) -> None:
        context = detect({"AZUREML_RUN_ID": "fig"} | torchrun(NODE_RANK="1"), self.argv(tmp_path))
        assert layout(context) == (3, 1, 4, "host", 29500)
        assert context.launched

    def test_nodes_become_ranks_where_there_is_no_distribution(self, tmp_path: Path) -> None:
        environ = {"AZUREML_RUN_ID": "fig", "NODE_RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "host"}
        assert layout(detect(environ, self.argv(tmp_path))) == (1, 0, 2, "host", 0)


class TestKubernetes:
    def environ(self, root: Path, **changes: str) -> dict[str, str]:
        return environment(root) | {"ISOCENTER_SERVICE": "kubernetes"} | changes

    def test_volumes_and_uris_go_together(self, tmp_path: Path) -> None:
        context = detect(self.environ(tmp_path, ISOCENTER_MODEL_DIR="s3://bucket/runs/1/model"))
        assert context.inputs == {"dataset": tmp_path}
        assert context.remote.outputs == {"model": "s3://bucket/runs/1/model"}
        assert context.output_dir == tmp_path / "output"

    def test_index_of_the_pod_becomes_the_rank(self, tmp_path: Path) -> None:
        group = {"JOB_COMPLETION_INDEX": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "job-0.job"}
        assert layout(detect(self.environ(tmp_path, **group))) == (1, 0, 2, "job-0.job", 0)

    def test_index_of_a_lone_pod_is_no_rank(self, tmp_path: Path) -> None:
        assert layout(detect(self.environ(tmp_path, JOB_COMPLETION_INDEX="1")))[:3] == (0, 0, 1)

    def test_torchrun_goes_before_the_index(self, tmp_path: Path) -> None:
        environ = self.environ(tmp_path, JOB_COMPLETION_INDEX="1", **torchrun())
        assert layout(detect(environ)) == (3, 1, 4, "host", 29500)

    def test_reason_is_left_in_the_termination_log(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        log = tmp_path / "termination-log"
        log.touch()
        changes = {"ISOCENTER_TERMINATION_LOG": str(log), "ISOCENTER_PARAMETERS": "{}"}
        for name, value in self.environ(tmp_path, **changes).items():
            monkeypatch.setenv(name, value)
        assert main(["train"]) == 3
        assert log.read_text() == "The job's parameters lack the plan.\n"
        assert capsys.readouterr().err.startswith("Service: kubernetes (ISOCENTER_SERVICE)")


def test_arguments_that_are_wrong_leave_a_reason_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    environ: Mapping[str, str] = {"ISOCENTER_SERVICE": "kubernetes", "ISOCENTER_TERMINATION_LOG": str(log)}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert main(["fly"]) == 3
    assert "invalid choice: 'fly'" in log.read_text()
    assert log.read_text().strip() in capsys.readouterr().err
