"""Three trivial steps on the local backend: each a supervised process, recorded, audited and in the lineage.

    python bench/startup_steps.py NONCE

Another NONCE makes other step keys, so that nothing is cached. Started by ``bench/startup.py``.
"""

import sys

from isocenter.backends import load_backend
from isocenter.domain.training_job import TrainingJob
from isocenter.home import open_home
from isocenter.pipelines.job import JobLauncher
from isocenter.pipelines.job_step import job_step
from isocenter.pipelines.observer import Silent
from isocenter.pipelines.records import open_records
from isocenter.pipelines.runner import Runner
from isocenter.pipelines.step import Step, StepState


def main() -> None:
    """Run the three steps and fail unless each was done."""
    records = open_records(open_home())
    backend = load_backend("local", records.home, {"entry_point": ()})
    launcher = JobLauncher(backend, "local", records, Silent())

    def step(name: str) -> Step:
        job = TrainingJob(name, ("true",))
        return job_step(name, launcher, lambda _: job, inputs=lambda _: {"nonce": sys.argv[1]}, publishes={})

    results = Runner(records, Silent(), "trivial").run([step("first"), step("second"), step("third")])
    assert [result.state for result in results] == [StepState.DONE] * 3


if __name__ == "__main__":
    main()
