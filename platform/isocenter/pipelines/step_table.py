"""Where the steps of a pipeline are, in one table, whoever runs it."""

from collections.abc import Sequence

from isocenter.backends.patient import patiently
from isocenter.domain.run import JobState
from isocenter.errors import NotFoundError
from isocenter.orchestrators.base import StepStage, StepStatus, load_orchestrator
from isocenter.pipelines.executions import PipelineExecution
from isocenter.pipelines.live_run import last_line, look
from isocenter.pipelines.one_step import results_so_far
from isocenter.pipelines.training import TrainingPipeline
from isocenter.targets import Target

_STAGES = {
    JobState.PENDING: StepStage.WAITING,
    JobState.RUNNING: StepStage.RUNNING,
    JobState.SUCCEEDED: StepStage.RUNNING,  # its outputs are not taken yet
    JobState.FAILED: StepStage.FAILED,
    JobState.CANCELLED: StepStage.CANCELLED,
    JobState.UNKNOWN: StepStage.UNKNOWN,
}
_ENDED_ILL = (StepStage.FAILED, StepStage.CANCELLED, StepStage.SKIPPED)
_ASKED_S = 60.0


def steps_here(pipeline: TrainingPipeline) -> tuple[StepStatus, ...]:
    """The steps of a pipeline that runs at the site, as the store knows them."""
    steps = pipeline.steps()
    done = results_so_far(pipeline.records, steps)
    rows = [StepStatus(name, StepStage.DONE, str(outputs.get("run", ""))) for name, outputs in done.items()]
    if len(rows) < len(steps):
        following = steps[len(rows)]
        run = pipeline.records.runs.open_run_for(following.key(done))
        if run is None:
            rows.append(StepStatus(following.name, StepStage.WAITING))
        else:
            status = look(pipeline.records.home, run).status
            detail = last_line(status.reason) or run.id
            rows.append(
                StepStatus(following.name, _STAGES[status.state], detail, run.started_at, run.ended_at)
            )
    return _whole(rows, [step.name for step in steps])


def steps_there(execution: PipelineExecution, place: Target) -> tuple[StepStatus, ...]:
    """The steps of a pipeline that a service runs.

    Raises:
        TransientFaultError: the service can't be reached.
        NotFoundError: it has no such execution any more.
    """
    site = [StepStatus(name, StepStage.DONE, "at the site") for name in ("ingest", "validate")]
    descriptor = place.descriptor
    if not execution.external_id or descriptor is None:
        return _whole(site, ["ingest", "validate", *execution.keys])
    orchestrator = load_orchestrator(execution.format, descriptor)
    try:
        told = patiently(lambda: orchestrator.steps(execution.external_id), deadline_s=_ASKED_S)
    except NotFoundError as error:
        raise NotFoundError(
            f"{place.name} knows execution {execution.id} no more: {error.message}",
            hint="The same command with --submit starts it again; what is done comes from the cache.",
        ) from error
    rows = [*site, *(_with_hint(row, execution) for row in told if row.name in execution.keys)]
    return _whole(rows, ["ingest", "validate", *execution.keys])


def _with_hint(row: StepStatus, execution: PipelineExecution) -> StepStatus:
    if row.name != "register" or row.stage not in (StepStage.DONE, StepStage.CACHED):
        return row
    detail = (
        "taken up" if execution.collected else f"left for the site: isocenter pipeline collect {execution.id}"
    )
    return StepStatus(row.name, row.stage, detail, row.started_at, row.ended_at)


def _whole(rows: Sequence[StepStatus], names: Sequence[str]) -> tuple[StepStatus, ...]:
    """One row a step, in the pipeline's order; what nobody told of waits, or never comes."""
    told = {row.name: row for row in rows}
    ended_ill = any(row.stage in _ENDED_ILL for row in rows)
    missing = StepStage.SKIPPED if ended_ill else StepStage.WAITING
    return tuple(told.get(name, StepStatus(name, missing)) for name in names)
