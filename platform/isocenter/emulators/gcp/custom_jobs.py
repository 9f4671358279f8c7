"""CustomJobs: kept in a folder, their replicas run as processes, their states as the service names them.

The folder is all the state: an emulator that was killed finds its jobs again, and they went on meanwhile.
"""

import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.emulators.gcp.container import (
    Cluster,
    container_command,
    container_environment,
    new_cluster,
    replica_name,
    replicas_of,
)
from isocenter.emulators.gcp.service_error import ServiceError
from isocenter.emulators.job_process import Ending, JobProcess

_POLL_S = 0.02
_FINAL = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")
_DEADLINE_EXCEEDED, _INTERNAL = 4, 13


@dataclass(frozen=True)
class Replica:
    """One container of a job.

    Args:
        name: ``workerpool0-0``.
        start: how often the job's containers had been started before.
        log: file of what it prints.
        begun: when it was started, in seconds since 1970.
        ended: whether it has.
    """

    name: str
    start: int
    log: Path
    begun: float
    ended: bool


@dataclass
class _Job:
    """A job in its folder: ``record.json``, ``starts/N/<replica>``, ``logs``."""

    folder: Path
    message: Any
    start: int = 0
    # Why its containers were told to stop: "", "cancelled", "interrupted" or "failed".
    stopping: str = ""

    @property
    def state(self) -> str:
        return _state_name(self.message.state)

    def processes(self) -> Mapping[str, JobProcess]:
        names = [replica_name(*each) for each in replicas_of(self.message.job_spec)]
        return {name: self.process(name, (), {}) for name in names}

    def process(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> JobProcess:
        limit = self.message.job_spec.scheduling.timeout.ToNanoseconds() / 1e9
        folder = self.folder / "starts" / str(self.start) / name
        return JobProcess(command, environment, folder, self.log(self.start, name), limit or None)

    def log(self, start: int, name: str) -> Path:
        return self.folder / "logs" / f"{start}-{name}.log"

    def save(self) -> None:
        from google.protobuf.json_format import MessageToDict

        record = {"customJob": MessageToDict(self.message), "start": self.start, "stopping": self.stopping}
        temporary = self.folder / ".record.json"
        temporary.write_text(json.dumps(record), encoding="utf-8")
        temporary.replace(self.folder / "record.json")


class CustomJobs:
    """All CustomJobs of the emulated project.

    Args:
        folder: where they are kept.
        program: what stands for the image's entry point.
        environment: that every container gets beside Vertex AI's: addresses of emulated services.
        grace_s: seconds between SIGTERM and SIGKILL.
    """

    def __init__(
        self, folder: Path, program: Sequence[str], environment: Mapping[str, str], grace_s: float = 30.0
    ) -> None:
        self._folder = folder
        self._program = program
        self._environment = environment
        self._grace_s = grace_s
        self._lock = threading.RLock()
        self._closed = threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        self._jobs = {job.message.name: job for job in _stored(folder)}
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def create(self, parent: str, given: Any) -> Any:
        """Start a job; returns it as it is answered."""
        from google.cloud.aiplatform_v1 import CustomJob

        number = str(10**18 + secrets.randbelow(8 * 10**18))
        message = CustomJob.pb(CustomJob())
        message.CopyFrom(given)
        for output in ("error", "start_time", "end_time", "web_access_uris"):
            message.ClearField(output)
        message.name = f"{parent}/customJobs/{number}"
        message.state = _state("JOB_STATE_PENDING")
        message.create_time.GetCurrentTime()
        message.update_time.GetCurrentTime()
        answer = _copy(message)
        job = _Job(self._folder / number, message)
        job.folder.mkdir()
        with self._lock:
            self._jobs[message.name] = job
            self._start(job)
        return answer

    def get(self, name: str) -> Any:
        """A copy of the job.

        Raises:
            ServiceError: there is none.
        """
        with self._lock:
            job = self._find(name)
            self._advance(job)
            return _copy(job.message)

    def all(self) -> list[Any]:
        """Copies of all jobs, the newest first."""
        with self._lock:
            for job in self._jobs.values():
                self._advance(job)
            jobs = sorted(self._jobs.values(), key=lambda job: -job.message.create_time.ToNanoseconds())
            return [_copy(job.message) for job in jobs]

    def cancel(self, name: str) -> None:
        """SIGTERM to the job's containers.

        Raises:
            ServiceError: there is no such job, or it has ended.
        """
        with self._lock:
            job = self._find(name)
            self._advance(job)
            if job.state in _FINAL:
                raise ServiceError(400, f"The job {name} has ended: {job.state}.", "FAILED_PRECONDITION")
            self._stop(job, "cancelled")

    def interrupt(self, name: str) -> None:
        """Take the machines of a spot job away; the service starts it again.

        Raises:
            ServiceError: there is no such job, it has ended, or isn't spot.
        """
        with self._lock:
            job = self._find(name)
            self._advance(job)
            if job.state in _FINAL or _strategy(job) != "SPOT":
                raise ServiceError(400, f"The job {name} has no spot machines now.", "FAILED_PRECONDITION")
            self._stop(job, "interrupted")

    def replicas(self, job_id: str) -> list[Replica]:
        """The containers of a job, also of its earlier starts; empty where there is no such job."""
        with self._lock:
            found = [job for name, job in self._jobs.items() if name.rpartition("/")[2] == job_id]
            return [replica for job in found for replica in _replicas(job)]

    def close(self) -> None:
        """Cancel what goes on, and wait for it."""
        with self._lock:
            for job in self._jobs.values():
                if job.state not in _FINAL:
                    self._stop(job, "cancelled")
        deadline = time.monotonic() + self._grace_s + 5
        while any(job.state not in _FINAL for job in self._jobs.values()) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        self._closed.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._closed.wait(_POLL_S):
            with self._lock:
                for job in self._jobs.values():
                    self._advance(job)

    def _find(self, name: str) -> _Job:
        # The project may be given by its id; names hold its number.
        found = [job for known, job in self._jobs.items() if known.split("/")[2:] == name.split("/")[2:]]
        if not found:
            raise ServiceError(404, f"The CustomJob does not exist: {name}")
        return found[0]

    def _start(self, job: _Job) -> None:
        spec = job.message.job_spec
        cluster: Cluster = new_cluster(spec)
        for pool, index in replicas_of(spec):
            name = replica_name(pool, index)
            command = container_command(spec.worker_pool_specs[pool].container_spec, self._program)
            # A container's disk is its own.
            scratch = {"ISOCENTER_SCRATCH": str(job.folder / "starts" / str(job.start) / name / "disk")}
            own = container_environment(job.message, pool, index, cluster)
            job.process(name, command, {**self._environment, **scratch, **own}).start()
        job.stopping = ""
        job.save()

    def _stop(self, job: _Job, why: str) -> None:
        if job.stopping == "cancelled":
            return
        job.stopping = why
        if why == "cancelled":
            job.message.state = _state("JOB_STATE_CANCELLING")
        job.save()
        for process in job.processes().values():
            process.terminate(self._grace_s)

    def _advance(self, job: _Job) -> None:
        """See how the containers are, and go on to the state that follows."""
        if job.state in _FINAL:
            return
        endings = {name: process.ending() for name, process in job.processes().items()}
        known = {name: ending for name, ending in endings.items() if ending is not None}
        if len(known) == len(endings):
            self._end_or_restart(job, known)
        elif job.state == "JOB_STATE_PENDING":
            job.message.state = _state("JOB_STATE_RUNNING")
            _stamp(job.message, "start_time")
            job.save()
        elif not job.stopping and any(ending.exit_code for ending in known.values()):
            self._stop(job, "failed")

    def _end_or_restart(self, job: _Job, endings: Mapping[str, Ending]) -> None:
        failed = {name: ending for name, ending in endings.items() if ending.exit_code}
        if job.stopping == "cancelled":
            _end(job, "JOB_STATE_CANCELLED")
        elif not failed:
            _end(job, "JOB_STATE_SUCCEEDED")
        elif job.stopping == "interrupted" and not job.message.job_spec.scheduling.disable_retries:
            job.start += 1
            job.message.state = _state("JOB_STATE_PENDING")
            self._start(job)
        else:
            _end(job, "JOB_STATE_FAILED", *_failure(job, failed))


def _replicas(job: _Job) -> Iterator[Replica]:
    for start in range(job.start + 1):
        for name, process in job.processes().items():
            begun = (job.folder / "starts" / str(start) / name / "job.json").stat().st_mtime
            ended = start < job.start or process.ending() is not None
            yield Replica(name, start, job.log(start, name), begun, ended)


def _failure(job: _Job, failed: Mapping[str, Ending]) -> tuple[int, str]:
    """The service's words: what it tells of a container that failed is its exit code."""
    if any(ending.timed_out for ending in failed.values()):
        limit = job.message.job_spec.scheduling.timeout.ToJsonString()
        return _DEADLINE_EXCEEDED, f"The job ran longer than its timeout of {limit}."
    # The others were told to stop because of it.
    name, ending = next(
        ((name, ending) for name, ending in failed.items() if not ending.stopped), next(iter(failed.items()))
    )
    project, job_id = job.message.name.split("/")[1], job.message.name.rpartition("/")[2]
    if ending.error:
        return _INTERNAL, f"The replica {name} could not be run: {ending.error}"
    code = ending.exit_code if ending.exit_code > 0 else 128 - ending.exit_code
    return 3, (
        f"The replica {name} exited with a non-zero status of {code}. Termination reason: Error. "
        "To find out more about why your job exited please check the logs: "
        f"https://console.cloud.google.com/logs/viewer?project={project}"
        f"&resource=ml_job%2Fjob_id%2F{job_id}"
    )


def _end(job: _Job, state: str, code: int = 0, message: str = "") -> None:
    job.message.state = _state(state)
    if code:
        job.message.error.code = code
        job.message.error.message = message
    if not job.message.HasField("start_time"):
        _stamp(job.message, "start_time")
    _stamp(job.message, "end_time")
    job.save()


def _stamp(message: Any, field: str) -> None:
    getattr(message, field).GetCurrentTime()
    message.update_time.GetCurrentTime()


def _stored(folder: Path) -> Iterator[_Job]:
    from google.cloud.aiplatform_v1 import CustomJob
    from google.protobuf.json_format import ParseDict

    for path in sorted(folder.glob("*/record.json")):
        with suppress(ValueError, KeyError):
            record = json.loads(path.read_text(encoding="utf-8"))
            message = ParseDict(record["customJob"], CustomJob.pb(CustomJob()))
            yield _Job(path.parent, message, record["start"], record["stopping"])


def _copy(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _state(name: str) -> int:
    from google.cloud.aiplatform_v1 import JobState

    return int(JobState[name])


def _state_name(number: int) -> str:
    from google.cloud.aiplatform_v1 import JobState

    return str(JobState(number).name)


def _strategy(job: _Job) -> str:
    from google.cloud.aiplatform_v1 import Scheduling

    return str(Scheduling.Strategy(job.message.job_spec.scheduling.strategy).name)
