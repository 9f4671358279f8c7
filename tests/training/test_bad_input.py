"""What can't be trained on is refused with exit code 3 and the name of the field; no bundle is left."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from isocenter.errors import InputError
from isocenter_training.__main__ import main

NewJob = Callable[..., Any]


def refusal(job: Any, capsys: pytest.CaptureFixture[str]) -> str:
    """The last paragraph of standard error of a job that must end with exit code 3 and leave no bundle."""
    assert job.run() == InputError.exit_code == 3
    assert not list(job.model.rglob("*.json"))
    return capsys.readouterr().err.split("\n\n")[-1]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"image_size": 64}, "no pixels of size 64"),
        ({"image_size": 8}, "image_size"),
        ({"learning_rate": 1}, "learning_rate"),
        ({"budget": {"epochs": 0}}, "budget.epochs"),
        ({"network": "resnet11"}, "network.name 'resnet11'"),
        ({"network": {"name": "resnet10", "arguments": {"depth": 3}}}, "network.arguments"),
        (
            {"network": {"name": "resnet10", "arguments": {"pretrained": True}}},
            "network.arguments.pretrained",
        ),
        ({"network": {"name": "resnet10", "arguments": {"num_classes": 5}}}, "network.arguments.num_classes"),
        ({"augmentation": ["affine", "RandNothing"]}, "augmentation.1.name 'RandNothing'"),
        ({"augmentation": ["affin"]}, "augmentation.0.name 'affin'"),
        ({"augmentation": ["RandAffined"]}, "augmentation.0.name 'RandAffined'"),
        ({"augmentation": ["Compose3", "affine"]}, "augmentation.0.name"),
        ({"augmentation": [{"name": "gamma", "arguments": {"power": 2}}]}, "augmentation.0.arguments"),
        ({"augmentation": [{"name": "affine", "arguments": {"scale": 2}}]}, "augmentation.0.arguments"),
        (
            {"augmentation": [{"name": "RandZoom", "arguments": {"prob": 1, "keep_size": False}}]},
            "augmentation.0",
        ),
        ({"loss": "focus"}, "loss.name 'focus'"),
        ({"loss": {"name": "focal", "arguments": {"softness": 2}}}, "loss.arguments"),
        ({"loss": {"name": "cross_entropy", "arguments": {"label_smoothing": 2}}}, "loss.arguments"),
        ({"trainer": "no_such_module:Trainer"}, "trainer 'no_such_module:Trainer'"),
        ({"trainer": "pathlib:Path"}, "trainer 'pathlib:Path'"),
        ({"task": {"classes": ["a", "b"]}}, "task.classes"),
    ],
)
def test_plan_that_does_not_fit_is_refused_by_field(
    changes: dict[str, Any], named: str, new_job: NewJob, capsys: pytest.CaptureFixture[str]
) -> None:
    assert named in refusal(new_job(**changes), capsys)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_class_that_a_split_lacks_is_named(
    split: str, new_job: NewJob, make_dataset: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    job = replace(new_job(), dataset=make_dataset("one-class", one_class_in=[split]))
    assert f"The dataset's {split} images lack the class 'pneumonia'." in refusal(job, capsys)


def test_dataset_that_is_none_is_refused(
    new_job: NewJob, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "'dataset' is not a directory" in refusal(replace(new_job(), dataset=tmp_path / "absent"), capsys)
    (tmp_path / "empty").mkdir()
    assert "no dataset" in refusal(replace(new_job(), dataset=tmp_path / "empty"), capsys)


@pytest.mark.parametrize("threads", [0, -1, "two", True])
def test_threads_that_are_no_number_are_refused(
    threads: Any, new_job: NewJob, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "threads" in refusal(new_job(threads=threads), capsys)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ISOCENTER_PARAMETERS", "{", "not JSON"),
        ("ISOCENTER_PARAMETERS", "[]", "not a JSON object"),
        ("ISOCENTER_PARAMETERS", "{}", "lack the plan"),
        ("ISOCENTER_MODEL_DIR", "", "ISOCENTER_MODEL_DIR is not set"),
        ("ISOCENTER_MODEL_DIR", "/dev/null/model", "ISOCENTER_MODEL_DIR can't be made"),
        ("RANK", "first", "RANK is 'first'"),
    ],
)
def test_environment_that_breaks_the_contract_is_refused(
    name: str,
    value: str,
    told: str,
    new_job: NewJob,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for variable, right in (new_job().environment | {name: value}).items():
        monkeypatch.setenv(variable, right)
    assert main(["train"]) == 3
    assert told in capsys.readouterr().err.splitlines()[-1]


def test_checkpoint_of_another_plan_is_refused(new_job: NewJob, capsys: pytest.CaptureFixture[str]) -> None:
    budget = {"epochs": 1, "batch_size": 40}
    first = new_job(budget=budget)
    assert first.run() == 0
    other = replace(first, root=first.root.parent / "other", plan={**first.plan, "seed": 5})
    other.checkpoint.parent.mkdir()
    first.checkpoint.rename(other.checkpoint)
    assert "another plan or dataset" in refusal(other, capsys)


def test_damaged_checkpoint_is_refused_and_left_alone(
    new_job: NewJob, capsys: pytest.CaptureFixture[str]
) -> None:
    job = new_job()
    job.checkpoint.mkdir(parents=True)
    (job.checkpoint / "checkpoint.pt").write_bytes(b"PK\x03\x04 and then nothing")
    assert "Remove checkpoint.pt" in refusal(job, capsys)
    assert (job.checkpoint / "checkpoint.pt").exists()


class _Payload:
    """What a hostile checkpoint holds: unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self._path), "w"))


def test_code_in_a_checkpoint_is_not_run(
    new_job: NewJob, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job, made = new_job(), tmp_path / "made-by-the-payload"
    job.checkpoint.mkdir(parents=True)
    torch.save({"format": 1, "identity": _Payload(made)}, job.checkpoint / "checkpoint.pt")
    assert "can't be read" in refusal(job, capsys)
    assert not made.exists()


def test_message_is_one_paragraph_for_the_service_to_show(
    new_job: NewJob, capsys: pytest.CaptureFixture[str]
) -> None:
    job = new_job(network="resnet11")
    assert job.run() == 3
    message = capsys.readouterr().err.split("\n\n")[-1].strip()
    assert "\n" not in message
    assert message.startswith("The training plan is wrong: network.name 'resnet11' is unknown")
    assert "resnet10" in message
