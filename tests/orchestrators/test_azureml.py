"""`pipeline run --submit`, `status` and `collect` against the emulated Azure ML, which runs the pipeline."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from azure_needs import needs_azure
from handed_over import check_runs_and_is_taken_up, emulated_store
from pipeline_runs import write_folder

from isocenter.backends.azureml_client import open_client
from isocenter.home import open_home
from isocenter.pipelines.executions import ExecutionRecords
from isocenter.targets.descriptor import load_descriptor


# The test's own copy of a model, in one piece.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.slow
def test_it_is_run_and_the_site_takes_the_model_up(tmp_path: Path) -> None:
    needs_azure()
    data = write_folder(tmp_path / "data", patients=120, signal=0.7)
    with emulated_store("azure", tmp_path) as store:
        check_runs_and_is_taken_up(store, data, tmp_path / "rules.yaml", "azure-emulated", forge=True)
        assert not any("git" in name and value for name, value in told_of_the_source(store).items())


def told_of_the_source(store: Path) -> dict[str, str]:
    """The properties that the SDK sent along with the pipeline's job."""
    execution = ExecutionRecords(open_home(store)).list()[0]
    target = load_descriptor(store / "deployments" / "azure-emulated.json")
    found: dict[str, str] = open_client(target).jobs.get(execution.external_id).properties
    return found
