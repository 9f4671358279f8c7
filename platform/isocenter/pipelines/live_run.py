"""A recorded run and what its backend says now: the record is behind while no pipeline follows the run."""

from dataclasses import dataclass

from isocenter.backends import Backend, load_backend
from isocenter.domain.run import JobHandle, JobState, JobStatus
from isocenter.errors import IsocenterError
from isocenter.home import Home
from isocenter.registry.runs import Run
from isocenter.targets import find_target


@dataclass(frozen=True)
class LiveRun:
    """A run and its state now.

    Args:
        run: as recorded.
        status: as the backend sees the newest attempt; as recorded where the run has ended or the backend
            can't tell.
    """

    run: Run
    status: JobStatus


class Watch:
    """Looks at runs again and again; a target is opened once, however many runs it has.

    Args:
        home: the store.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._backends: dict[str, Backend] = {}

    def look(self, run: Run) -> LiveRun:
        """The state of ``run`` now. Writes nothing: the pipeline that takes its outputs records success."""
        recorded = JobStatus(run.state, run.exit_code, run.reason)
        if run.state.is_final or not run.attempts:
            return LiveRun(run, recorded)
        try:
            seen = self._backend(run).status(newest_handle(run))
        except IsocenterError:
            return LiveRun(run, recorded)
        return LiveRun(run, recorded if seen.state is JobState.UNKNOWN else seen)

    def _backend(self, run: Run) -> Backend:
        if run.target not in self._backends:
            self._backends[run.target] = backend_of(self._home, run)
        return self._backends[run.target]


def look(home: Home, run: Run) -> LiveRun:
    """The state of one run now; see :class:`Watch`."""
    return Watch(home).look(run)


def last_line(reason: str | None) -> str:
    """The end of a job's last words, which says why it failed; what stands before may be of better times."""
    return (reason or "").strip().rpartition("\n")[2]


def backend_of(home: Home, run: Run) -> Backend:
    """The backend that has ``run``.

    Raises:
        NotFoundError: its target or backend is not known any more.
        EnvironmentFaultError: the backend is not installed here.
    """
    target = find_target(home, run.target)
    return load_backend(target.backend, home, target.settings)


def newest_handle(run: Run) -> JobHandle:
    """What finds the newest attempt of ``run``; the run has at least one."""
    return run.attempts[-1].handle(run.id)
