"""`pipeline run --submit`, `status` and `collect` against the emulated SageMaker, which runs the pipeline."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from emulated import emulator
from handed_over import check_runs_and_is_taken_up, emulated_store
from pipeline_runs import write_folder

from isocenter.domain.run import new_run_id
from isocenter.errors import NotFoundError
from isocenter.pipelines.executions import PipelineExecution
from isocenter.pipelines.step_table import steps_there
from isocenter.targets.descriptor import read_descriptor


@pytest.mark.slow
def test_it_is_run_and_the_site_takes_the_model_up(tmp_path: Path) -> None:
    pytest.importorskip("moto", reason="LACKS: pip install 'isocenter[aws-emulator]'")
    data = write_folder(tmp_path / "data", patients=120, signal=0.7)
    with emulated_store("aws", tmp_path) as store:
        check_runs_and_is_taken_up(store, data, tmp_path / "rules.yaml", "aws-emulated", forge=True)


def test_an_execution_that_the_service_has_forgotten_is_submitted_again(tmp_path: Path) -> None:
    """The emulated service keeps executions in memory; the real one deletes those of a deleted pipeline."""
    pytest.importorskip("moto", reason="LACKS: pip install 'isocenter[aws-emulator]'")
    with emulator("aws", tmp_path / "store", ["/bin/true"]) as printed:
        place = read_descriptor(Path(printed["descriptor"]))
        id_, digest = new_run_id(), f"sha256:{'0' * 64}"
        there = f"arn:aws:sagemaker:eu-central-1:123456789012:pipeline/cxr/execution/{id_[:12].lower()}"
        names = ("cxr", "cxr", place.name, "sagemaker")
        gone = PipelineExecution(id_, *names, {}, digest, digest, {"train": digest}, digest, "", there)
        with pytest.raises(NotFoundError, match="knows execution") as caught:
            steps_there(gone, place)
    assert "--submit" in caught.value.hint
