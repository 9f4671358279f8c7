"""Runs and their attempts: what was submitted where, how it ended, what it left."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from isocenter.domain.artifact import Artifact, MediaType
from isocenter.domain.run import JobHandle, JobState, JobStatus, RunId
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import NotFoundError
from isocenter.registry.step_cache import StepCache
from isocenter.storage import schema
from isocenter.storage.database import Database

__all__ = ["Attempt", "Run", "RunRecords", "StepCache"]


@dataclass(frozen=True)
class Attempt:
    """One submission of a run.

    Args:
        number: 1, 2, 3 ... within the run.
        backend: name of the backend that took it.
        external_id: the service's own name of the job.
        started_at: when it was submitted (UTC).
    """

    number: int
    backend: str
    external_id: str
    started_at: datetime

    def handle(self, run: RunId) -> JobHandle:
        """What the backend needs to find this attempt of ``run`` again."""
        return JobHandle(self.backend, run, self.external_id)


@dataclass(frozen=True)
class Run:
    """One execution of a TrainingJob, with its attempts.

    Args:
        id: ULID of the run.
        name: the job's name.
        target: where it was sent.
        backend: name of the backend; empty until the first attempt if ``create`` was not told.
        state: as last recorded.
        step_key: key of the pipeline step that it computes; None outside of a pipeline.
        submission_digest: digest of the request that was (or will be) submitted.
        job: the TrainingJob's fields as JSON.
        created_at: when it was recorded (UTC).
        started_at: when it was first seen running.
        ended_at: when it was seen to have ended; None while it has not.
        exit_code: of the container or process, where the service tells.
        reason: why it failed; None when it has not.
        attempts: oldest first.
    """

    id: RunId
    name: str
    target: str
    backend: str
    state: JobState
    step_key: str | None
    submission_digest: str
    job: Mapping[str, Any]
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    reason: str | None = None
    attempts: tuple[Attempt, ...] = field(default=())


class RunRecords:
    """Reads and writes the records of runs.

    Args:
        database: from :func:`isocenter.storage.database.open_database`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        run: RunId,
        job: TrainingJob,
        target: str,
        submission_digest: str,
        step_key: str | None = None,
        *,
        backend: str = "",
    ) -> Run:
        """Record a new run as pending; one that is there already stays as it is."""
        row = {
            "id": run,
            "name": job.name,
            "target": target,
            "backend": backend,
            "state": JobState.PENDING.value,
            "step_key": step_key,
            "submission_digest": submission_digest,
            "job": _json(asdict(job)),
            "created_at": datetime.now(UTC),
        }
        with self._database.write() as connection:
            connection.execute(self._database.upsert(schema.runs).values(row).on_conflict_do_nothing())
            return _load(connection, run)

    def get(self, run: str) -> Run:
        """The run with this id, or the only one whose id begins so (upper or lower case).

        Raises:
            NotFoundError: no such run, or several.
        """
        with self._database.read() as connection:
            return _load(connection, _complete(connection, run))

    def list(self, limit: int = 20, *, name: str | None = None) -> tuple[Run, ...]:
        """The newest runs first, at most ``limit``; only those of the job ``name`` where given."""
        query = select(schema.runs).order_by(schema.runs.c.created_at.desc(), schema.runs.c.id.desc())
        if name is not None:
            query = query.where(schema.runs.c.name == name)
        with self._database.read() as connection:
            rows = connection.execute(query.limit(limit)).all()
            attempts = _attempts(connection, [row.id for row in rows])
        return tuple(_run(row, attempts.get(row.id, ())) for row in rows)

    def open_run_for(self, step_key: str) -> Run | None:
        """The newest run of this step that has not ended with success, to be continued; None if none."""
        table = schema.runs.c
        query = (
            select(table.id)
            .where(table.step_key == step_key, table.state != JobState.SUCCEEDED.value)
            .order_by(table.created_at.desc(), table.id.desc())
        )
        with self._database.read() as connection:
            run = connection.execute(query.limit(1)).scalar()
            return _load(connection, run) if run is not None else None

    def set_status(self, run: RunId, status: JobStatus) -> None:
        """Record what the backend saw. UNKNOWN changes nothing, and success is never taken back."""
        if status.state is JobState.UNKNOWN:
            return
        now = datetime.now(UTC)
        table = schema.runs.c
        values: dict[str, Any] = {
            "state": status.state.value,
            "exit_code": status.exit_code,
            "reason": status.reason,
            "ended_at": func.coalesce(table.ended_at, now) if status.state.is_final else None,
        }
        if status.state is not JobState.PENDING:
            values["started_at"] = func.coalesce(table.started_at, now)
        with self._database.write() as connection:
            _require(connection, run)
            unfinished = (table.id == run) & (table.state != JobState.SUCCEEDED.value)
            connection.execute(update(schema.runs).where(unfinished).values(values))

    def add_attempt(
        self,
        run: RunId,
        handle: JobHandle,
        also: Callable[[Attempt, Connection], object] = lambda attempt, connection: None,
    ) -> Attempt:
        """Record a submission of ``run``; the same job twice is one attempt.

        Args:
            run: its id.
            handle: of the job.
            also: done in the same transaction, and only for an attempt that is new.

        Raises:
            NotFoundError: no such run.
        """
        with self._database.write() as connection:
            known = _load(connection, run).attempts
            for attempt in known:
                if (attempt.backend, attempt.external_id) == (handle.backend, handle.external_id):
                    return attempt
            new = Attempt(len(known) + 1, handle.backend, handle.external_id, datetime.now(UTC))
            connection.execute(insert(schema.attempts).values(run=run, **asdict(new)))
            connection.execute(
                update(schema.runs).where(schema.runs.c.id == run).values(backend=handle.backend)
            )
            also(new, connection)
            return new

    def set_outputs(self, run: RunId, outputs: Sequence[Artifact]) -> None:
        """Record what ``run`` left; replaces what was recorded before."""
        with self._database.write() as connection:
            _require(connection, run)
            connection.execute(schema.run_outputs.delete().where(schema.run_outputs.c.run == run))
            for artifact in outputs:
                row = {**asdict(artifact), "media_type": artifact.media_type.value}
                connection.execute(insert(schema.run_outputs).values(run=run, **row))

    def outputs(self, run: RunId) -> tuple[Artifact, ...]:
        """What ``run`` left, sorted by name; empty until it has ended with success."""
        table = schema.run_outputs
        with self._database.read() as connection:
            rows = connection.execute(select(table).where(table.c.run == run).order_by(table.c.name)).all()
        return tuple(Artifact(r.name, r.digest, MediaType(r.media_type), r.uri, r.size) for r in rows)


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_json(item) for item in value]
    return value


def _require(connection: Connection, run: str) -> None:
    if connection.execute(select(schema.runs.c.id).where(schema.runs.c.id == run)).scalar() is None:
        raise NotFoundError(f"No run {run!r}.", hint="isocenter run list shows those that there are.")


def _complete(connection: Connection, start: str) -> RunId:
    table = schema.runs.c
    query = select(table.id).where(table.id.startswith(start.upper(), autoescape=True)).limit(2)
    found = connection.execute(query).scalars().all() if start else []
    if len(found) > 1:
        raise NotFoundError(f"Several runs begin with {start!r}.", hint="Give more characters of the id.")
    return RunId(found[0] if found else start)


def _load(connection: Connection, run: str) -> Run:
    row = connection.execute(select(schema.runs).where(schema.runs.c.id == run)).one_or_none()
    if row is None:
        raise NotFoundError(f"No run {run!r}.", hint="isocenter run list shows those that there are.")
    return _run(row, _attempts(connection, [run]).get(run, ()))


def _attempts(connection: Connection, runs: Sequence[str]) -> dict[str, tuple[Attempt, ...]]:
    table = schema.attempts
    query = select(table).where(table.c.run.in_(runs)).order_by(table.c.run, table.c.number)
    found: dict[str, tuple[Attempt, ...]] = {}
    for row in connection.execute(query):
        attempt = Attempt(row.number, row.backend, row.external_id, row.started_at)
        found[row.run] = (*found.get(row.run, ()), attempt)
    return found


def _run(row: Row[Any], attempts: tuple[Attempt, ...]) -> Run:
    fields = row._asdict()
    return Run(**{**fields, "id": RunId(row.id), "state": JobState(row.state), "attempts": attempts})
