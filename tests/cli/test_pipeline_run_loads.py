"""What `isocenter pipeline run` loads before it submits a job on data that its target has got."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="LACKS: moto; pip install 'isocenter[aws-emulator]'")
pytest.importorskip("obstore", reason="LACKS: obstore; pip install 'isocenter[aws]'")

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from emulated import emulator
from pipeline_runs import TINY, arguments, environment, run, write_folder

# Each takes longer to load than all that is done before the job.
HEAVY = ("numpy", "pyarrow", "PIL", "fsspec", "s3fs", "aiohttp", "rich", "alembic", "isocenter.imaging")
WATCHED = """
import sys
from isocenter.backends.sagemaker import SageMakerBackend
submit = SageMakerBackend.submit
def told(backend, submission):
    print("loaded", sorted(set(sys.argv.pop().split(",")) & set(sys.modules)))
    return submit(backend, submission)
SageMakerBackend.submit = told
from isocenter.cli.main import main
main(sys.argv[1:-1])
"""


@pytest.mark.slow
def test_only_what_planning_and_submitting_need(tmp_path: Path) -> None:
    store = tmp_path / "store"
    data = write_folder(tmp_path / "data", patients=120, signal=0.7)
    with emulator("aws", store, ["/bin/false"]) as printed:
        settings: dict[str, Any] = {
            "env": environment(store, ISOCENTER_DEPLOYMENTS=str(Path(printed["descriptor"]).parent))
        }
        words = arguments(data, *TINY, "--target", printed["target"])
        first = run(store, [*words, "--seed", "1"], **settings)  # ingests and stages; its job fails
        assert first.returncode == 5, first.stderr
        done = subprocess.run(
            [sys.executable, "-c", WATCHED, *words, "--seed", "2", ",".join(HEAVY)],
            **settings,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 5, done.stderr
    assert "loaded []\n" in done.stdout, done.stdout
    assert "train ..." in done.stderr.splitlines()


def test_help_loads_no_verb() -> None:
    code = "import sys; from isocenter.cli.main import root; root(['--help'], standalone_mode=False)"
    said = f"{code}; import json; print(json.dumps([m for m in sys.modules if m.startswith('isocenter.')]))"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == ["isocenter.cli", "isocenter.cli.main"]
