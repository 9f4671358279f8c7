"""How long a job may run where nobody says it: a job without an end would be paid for without an end."""

from isocenter.domain.training_job import TrainingJob

DEFAULT_S = 24 * 3600


def time_limit_s(job: TrainingJob) -> int:
    """The maximum run time of ``job`` on a service, in seconds; a day where none is asked for."""
    return job.compute.max_runtime_s or DEFAULT_S
