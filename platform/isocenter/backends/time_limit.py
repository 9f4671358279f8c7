"""How long a job may run where nobody says it: a job without an end would be paid for without an end."""

from isocenter.domain.compute_words import LONGEST_RUNTIME_S
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import InputError

DEFAULT_S = 24 * 3600


def time_limit_s(job: TrainingJob) -> int:
    """The maximum run time of ``job`` on a service, in seconds; a day where none is asked for.

    Raises:
        InputError: it is none, or longer than a week.
    """
    asked = job.compute.max_runtime_s
    if asked is None:
        return DEFAULT_S
    if not 1 <= asked <= LONGEST_RUNTIME_S:
        raise InputError(
            f"The job {job.name!r} is to be stopped after {asked} s: a service takes 1 s to a week.",
            hint="--max-runtime 6h, for example; a week is the most.",
        )
    return asked
