"""What holds for every format: the golden file, and the spec's steps read back out of it."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from read_back import READERS, Row
from targets import AWS, CODE, DATASET, FORMATS, IMAGE, IN_SERVICE, SPEC, compile_for, make_request, spec_for

from isocenter.compilers.base import format_for, load_compiler
from isocenter.compilers.spec import DATASET as DATASET_PARAMETER
from isocenter.compilers.spec import PipelineSpec, PipelineStep
from isocenter.compilers.training import pipeline_name, training_pipeline
from isocenter.domain.training_job import Compute
from isocenter.errors import InputError

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("format_", FORMATS)
def test_the_compiled_pipeline_is_the_golden_one(format_: str) -> None:
    """After a change on purpose: ``python tests/compilers/test_formats.py`` writes them anew."""
    compiled = compile_for(format_)
    assert (GOLDEN / compiled.file_name).read_text() == compiled.text
    assert compile_for(format_) == compiled


def _expected(step: PipelineStep, format_: str) -> Row:
    has = bool(step.retry.times)
    return Row(
        needs=step.needs,
        only_if_all_succeeded=True,
        retries=step.retry.times,
        wait_s=step.retry.wait_s if has else None,
        factor=step.retry.factor if has else None,
        timeout_s=step.timeout_s,
        key=step.cache_key,
        # At the site the store's cache knows of every step; a service is told of each.
        cached=step.cached or format_ == "airflow",
    )


@pytest.mark.parametrize("format_", FORMATS)
def test_steps_dependencies_conditions_retries_limits_and_keys_carry_over(format_: str) -> None:
    spec = spec_for(format_)
    found = READERS[format_](compile_for(format_).text)
    steps = spec.in_service if format_ in IN_SERVICE else spec.steps
    assert list(found.steps) == [step.name for step in steps]
    for step in steps:
        expected, row = _expected(step, format_), found.steps[step.name]
        # Azure ML knows dependencies by what flows only; a set, since it has no order.
        assert set(row.needs) == set(expected.needs), step.name
        assert replace(row, needs=()) == replace(expected, needs=()), step.name


@pytest.mark.parametrize("format_", IN_SERVICE)
def test_parameters_carry_over(format_: str) -> None:
    found = READERS[format_](compile_for(format_).text)
    assert found.parameters == {p.name: p.default for p in SPEC.parameters}
    assert found.parameters["dataset"] == DATASET.removeprefix("sha256:")


@pytest.mark.parametrize("format_", IN_SERVICE)
def test_jobs_and_their_parameters_carry_over(format_: str) -> None:
    """The program's own parameters are in the text as the container contract writes them."""
    text = compile_for(format_).text
    for name in ("train", "evaluate"):
        for key, value in spec_for(format_).step(name).training_job.parameters.items():
            assert f'"{key}":' in re.sub(r'\\*"', '"', text)
            if isinstance(value, str | int):
                assert str(value) in text
    assert IMAGE in text
    assert "auroc" in text  # a rule of the gate


@pytest.mark.parametrize("format_", ["airflow", "local"])
def test_at_the_site_the_request_is_in_the_file(format_: str) -> None:
    text = compile_for(format_).text
    assert "/data/xrays" in text
    assert "/data/labels.csv" in text


@pytest.mark.parametrize("format_", IN_SERVICE)
def test_a_service_is_told_nothing_of_the_site(format_: str) -> None:
    text = compile_for(format_).text
    assert "xrays" not in text
    assert "labels.csv" not in text


def test_keys_hang_on_what_decides_the_result_only() -> None:
    def keys(**changes: object) -> dict[str, str]:
        made = training_pipeline(make_request(**changes), code=CODE, image=IMAGE, dataset=DATASET)
        return {step.name: step.cache_key for step in made.steps}

    before = keys()
    assert keys(compute=Compute("l4", 1, spot=True, max_runtime_s=60), processes=3) == before
    for other in (Compute(), Compute("l4", 2), Compute("h100", 1), Compute("l4", 1, nodes=2)):
        assert keys(compute=other)["train"] != before["train"]
        assert keys(compute=other)["ingest"] == before["ingest"]
    elsewhere = f"other.example/isocenter/training@{IMAGE.partition('@')[2]}"
    assert keys(image=elsewhere) == before, "the same image in another registry"
    assert keys(image=f"{IMAGE[:-1]}2")["train"] != before["train"]
    seeded = keys(plan=SPEC_PLAN.model_copy(update={"seed": 7}))
    assert seeded["ingest"] == before["ingest"]
    assert all(seeded[name] != before[name] for name in ("train", "evaluate", "gate", "register"))
    ruled = keys(threshold_rule="sensitivity>=0.9")
    assert ruled["train"] == before["train"]
    assert ruled["evaluate"] != before["evaluate"]
    other = training_pipeline(make_request(), code="sha256:" + "e" * 64, image=IMAGE, dataset=DATASET)
    assert other.step("train").cache_key != before["train"]


SPEC_PLAN = make_request().plan


@pytest.mark.parametrize("format_", ["sagemaker", "vertex", "kubeflow"])
def test_without_a_dataset_the_parameter_must_be_given(format_: str) -> None:
    spec = training_pipeline(make_request(), code=CODE, image=IMAGE)
    found = READERS[format_](compile_for(format_, spec).text)
    assert found.parameters[DATASET_PARAMETER] is None


@pytest.mark.parametrize(
    ("format_", "compute", "said"),
    [
        ("vertex", Compute(spot=True), "spot machines"),
        ("kubeflow", Compute(nodes=2), "several machines"),
        ("sagemaker", Compute(gpu="h100", gpu_count=1), "h100"),
        ("kubeflow", Compute(gpu="l4", gpu_count=4), "l4"),
        ("azureml", Compute(spot=True), "no cluster"),
    ],
)
def test_what_a_service_cant_do_is_refused(format_: str, compute: Compute, said: str) -> None:
    spec = training_pipeline(make_request(compute=compute), code=CODE, image=IMAGE, dataset=DATASET)
    with pytest.raises(InputError, match=said):
        compile_for(format_, spec)


def _with_image(image: str | None) -> PipelineSpec:
    return training_pipeline(make_request(image=image), code=CODE, dataset=DATASET)


@pytest.mark.parametrize("format_", ["vertex", "kubeflow", "sagemaker"])
def test_images_are_named_by_digest(format_: str) -> None:
    with pytest.raises(InputError, match="digest"):
        compile_for(format_, _with_image("registry.example/training:latest"))


def test_no_image_at_all_is_refused() -> None:
    bare = AWS.model_copy(update={"settings": {}})
    with pytest.raises(InputError, match="image"):
        load_compiler("sagemaker")(_with_image(None), bare)


@pytest.mark.parametrize("format_", IN_SERVICE)
def test_a_service_needs_a_target(format_: str) -> None:
    with pytest.raises(InputError, match="target"):
        load_compiler(format_)(SPEC, None)


def test_an_unknown_format_names_all() -> None:
    with pytest.raises(InputError) as caught:
        load_compiler("argo")
    assert all(name in caught.value.hint for name in FORMATS)


def test_formats_of_backends() -> None:
    assert format_for("kubernetes") == "kubeflow"
    assert format_for("sagemaker") == "sagemaker"


@pytest.mark.parametrize("name", ["a", "chest-xray", "x.y_z--9", "m" * 63])
def test_names_of_pipelines_are_allowed_everywhere(name: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9](-?[a-z0-9])*", pipeline_name(name))
    assert len(pipeline_name(name)) <= 63


def test_compiling_loads_no_sdk() -> None:
    program = (
        # google is there from the start where a Google package's .pth file declares the name space.
        "import json, sys; before = set(sys.modules); sys.path.insert(0, 'tests/compilers'); import targets;"
        " [targets.compile_for(f) for f in targets.FORMATS];"
        " heavy = ('boto3', 'botocore', 'kfp', 'google', 'azure', 'airflow', 'torch');"
        " new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        " print(json.dumps(sorted(new.intersection(heavy))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for each in FORMATS:
        made = compile_for(each)
        (GOLDEN / made.file_name).write_text(made.text)
