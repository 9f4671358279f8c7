"""`pipeline run --submit`, `status` and `collect` against the emulated Vertex AI, which runs the pipeline."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from handed_over import check_runs_and_is_taken_up, emulated_store
from pipeline_runs import write_folder


# The test's own copy of a model, in one piece.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.slow
def test_it_is_run_and_the_site_takes_the_model_up(tmp_path: Path) -> None:
    pytest.importorskip("gcp_storage_emulator", reason="LACKS: pip install 'isocenter[gcp-emulator]'")
    data = write_folder(tmp_path / "data", patients=120, signal=0.7)
    with emulated_store("gcp", tmp_path) as store:
        check_runs_and_is_taken_up(store, data, tmp_path / "rules.yaml", "gcp-emulated", forge=True)
