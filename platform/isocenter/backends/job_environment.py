"""The container contract as environment variables: how ``local`` and ``kubernetes`` tell a job what to do."""

from collections.abc import Mapping

from isocenter.domain.digest import canonical_json
from isocenter.domain.run import RunId
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import InputError

# Linux refuses longer single variables (MAX_ARG_STRLEN).
_LONGEST_VARIABLE = 128 * 1024 - 1


def contract_environment(job: TrainingJob, run: RunId, places: Mapping[str, str]) -> dict[str, str]:
    """The job's own variables, and over them those that ``isocenter_training.contract`` reads.

    Args:
        job: with directories or URIs for inputs.
        run: names the run.
        places: directory or URI of ``model``, ``output`` and ``checkpoints``.

    Raises:
        InputError: a value is longer than Linux allows.
    """
    environment = {
        **job.environment,
        "ISOCENTER_RUN_ID": run,
        "ISOCENTER_PARAMETERS": canonical_json(dict(job.parameters)).decode(),
        "ISOCENTER_MODEL_DIR": places["model"],
        "ISOCENTER_OUTPUT_DIR": places["output"],
        "ISOCENTER_CHECKPOINT_DIR": places["checkpoints"],
        **{f"ISOCENTER_INPUT_{name.upper()}": path for name, path in job.inputs.items()},
    }
    for name, value in environment.items():
        if len(name) + len(value.encode()) + 1 > _LONGEST_VARIABLE:
            raise InputError(f"The job {job.name!r} has a value of {len(value)} characters for {name}.")
    return environment
