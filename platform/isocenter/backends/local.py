"""Jobs as processes of this machine, with the container contract's environment (``local`` column).

A job that names an image runs in it, by podman, docker or buildah; others in this Python environment.

A run is one directory in the store: ``model``, ``output`` and ``checkpoints`` belong to the job,
``attempts/N`` to the backend. The job's parent is a small supervisor, not the command line, so the job goes
on when the command line is killed, and a re-run finds it again.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from isocenter.backends.base import Capability, refuse_unsupported
from isocenter.backends.job_environment import contract_environment
from isocenter.backends.job_log import failure_reason, follow_lines, read_lines
from isocenter.backends.local_attempt import Attempt, attempts_of, locked, new_attempt, read_json
from isocenter.backends.oci_runtime import (
    RUNTIME_VARIABLES,
    ImageRun,
    find_runtime,
    prepare_outputs,
    start_command,
)
from isocenter.domain.artifact import Artifact, MediaType
from isocenter.domain.digest import canonical_json, digest_tree
from isocenter.domain.run import JobHandle, JobState, JobStatus, RunId, no_such_job
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import InputError, IntegrityError, JobFailedError
from isocenter.home import Home
from isocenter.storage.atomic import write_bytes

_ENTRY_POINT = (sys.executable, "-m", "isocenter_training")
_RUNNER = Path(__file__).with_name("oci_runner.py")
_STOP_GRACE_S = 120.0
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
# Where a container has what its job was given and leaves.
_INSIDE = "/isocenter"
# What of the user's environment a job gets to see: never tokens, passwords or database addresses.
_INHERITED = (
    *("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "SSL_CERT_FILE"),
    *("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
    *("OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
)
_ALSO_INHERITED = "ISOCENTER_JOB_ENVIRONMENT"


class LocalBackend:
    """The backend of target ``local``.

    Args:
        home: the store; runs lie under ``home.runs``.
        settings: ``entry_point`` (what stands for the image's entry point: a list of arguments; default this
            Python's ``isocenter_training``), ``stop_grace_s`` (seconds between SIGTERM and SIGKILL, default
            120), ``pass_environment`` (names of further variables that jobs may see; those in
            ``$ISOCENTER_JOB_ENVIRONMENT``, separated by commas, as well), ``oci_runtime`` (``podman``,
            ``docker`` or ``buildah``; default: the first that answers).
    """

    name: ClassVar[str] = "local"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.FOLLOW_LOGS, Capability.GPU, Capability.IMAGE, Capability.TIME_LIMIT}
    )

    def __init__(self, home: Home, settings: Mapping[str, Any] | None = None) -> None:
        chosen = settings or {}
        self._runs = home.runs
        self._entry_point = tuple(chosen.get("entry_point", _ENTRY_POINT))
        self._stop_grace_s = float(chosen.get("stop_grace_s", _STOP_GRACE_S))
        self._inherited = (*_INHERITED, *chosen.get("pass_environment", ()))
        self._oci_runtime = str(chosen.get("oci_runtime", ""))

    def plan(self, job: TrainingJob, run: RunId) -> Submission:
        """Arguments, environment and directories of the process or container that would run ``job``."""
        refuse_unsupported(job, self.name, self.capabilities)
        _refuse_missing_gpus(job)
        directory = self._runs / run
        directories = {kind: str(directory / kind) for kind in ("model", "output", "checkpoints")}
        request = {
            "job": job.name,
            **(_process(job, run, directories, self._entry_point) if job.image is None else {}),
            **(_container(job, run) if job.image is not None else {}),
            "directory": str(directory),
            "directories": directories,
            "max_runtime_s": job.compute.max_runtime_s,
            "stop_grace_s": self._stop_grace_s,
            "labels": dict(job.labels),
        }
        return Submission(self.name, run, request)

    def submit(self, submission: Submission) -> JobHandle:
        """Start the job's next attempt, or find the one that goes on or has succeeded."""
        directory = self._runs / submission.run
        with locked(directory / "lock"):
            _refuse_other(directory / "submission.json", submission)
            attempts = attempts_of(directory)
            if attempts and not _has_failed(attempts[-1]):
                return self._handle(submission.run, attempts[-1])
            if attempts:
                attempts[-1].kill_remains()
            return self._start(submission)

    def status(self, handle: JobHandle) -> JobStatus:
        """Where the job is; UNKNOWN for a handle of another backend or store."""
        attempt = self._attempt(handle)
        if attempt is not None:
            return _status(attempt)
        ours = self._expected(handle) == self._runs / handle.external_id
        return no_such_job(self.name, handle.external_id) if ours else JobStatus(JobState.UNKNOWN)

    def logs(self, handle: JobHandle, *, follow: bool = False) -> Iterator[str]:
        """Standard output and error of the job, in the order they were written."""
        attempt = self._attempt(handle)
        if attempt is None:
            return iter(())
        if follow:
            return follow_lines(attempt.log, lambda: _status(attempt).state.is_final)
        return read_lines(attempt.log)

    def cancel(self, handle: JobHandle) -> None:
        """SIGTERM to the job's process group; SIGKILL after the grace time."""
        attempt = self._attempt(handle)
        if attempt is not None:
            attempt.ask_to_stop()

    def outputs(self, handle: JobHandle) -> Sequence[Artifact]:
        """The directories ``model`` and ``output`` of a run that succeeded, where not empty."""
        status = self.status(handle)
        if status.state is not JobState.SUCCEEDED:
            raise JobFailedError(f"Run {handle.run} is {status.state.value}; it has no outputs.")
        folders = [self._runs / handle.run / kind for kind in ("model", "output")]
        return [_artifact(folder) for folder in folders if folder.is_dir() and any(folder.iterdir())]

    def _start(self, submission: Submission) -> JobHandle:
        request = submission.request
        directories = {kind: Path(path) for kind, path in request["directories"].items()}
        for kind, path in directories.items():
            if kind != "checkpoints":
                shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True, exist_ok=True)
        job = {**request, **(self._container_start(submission) if "image" in request else {})}
        job["environment"] = {**self._inherit("image" in request), **job["environment"]}
        attempt = new_attempt(self._runs / submission.run, job)
        attempt.start()
        return self._handle(submission.run, attempt)

    def _container_start(self, submission: Submission) -> dict[str, Any]:
        """The process that runs the container; what it is to do lies in a file (:mod:`.oci_runner`)."""
        request = submission.request
        run = ImageRun(
            image=request["image"],
            arguments=tuple(request["arguments"]),
            environment=request["environment"],
            inputs=request["inputs"],
            outputs={f"{_INSIDE}/{kind}": path for kind, path in request["directories"].items()},
            gpus=request["gpus"],
        )
        prepare_outputs(run)
        runtime, name = find_runtime(self._oci_runtime), f"isocenter-{submission.run.lower()}"
        task = {
            "runtime": runtime,
            "name": name,
            "run": submission.run,
            "image": run.image,
            "command": start_command(runtime, run, name),
            "arguments": list(run.arguments),
            "stop_grace_s": request["stop_grace_s"],
        }
        path = Path(request["directory"]) / "container.json"
        write_bytes(path, json.dumps(task).encode(), mode=0o600)
        return {"argv": [sys.executable, "-I", "-S", str(_RUNNER), str(path)], "environment": {}}

    def _inherit(self, runs_image: bool) -> dict[str, str]:
        also = RUNTIME_VARIABLES if runs_image else ()
        wanted = {*self._inherited, *also, *os.environ.get(_ALSO_INHERITED, "").split(",")}
        found = {n: v for n, v in os.environ.items() if n in wanted or n.startswith("LC_")}
        return {**found, "PYTHONUNBUFFERED": "1"}

    def _handle(self, run: RunId, attempt: Attempt) -> JobHandle:
        return JobHandle(self.name, run, attempt.directory.relative_to(self._runs).as_posix())

    def _attempt(self, handle: JobHandle) -> Attempt | None:
        directory = self._runs / handle.external_id
        if directory != self._expected(handle) or not (directory / "job.json").is_file():
            return None
        return Attempt(directory)

    def _expected(self, handle: JobHandle) -> Path | None:
        """Where the attempt of a handle of this backend lies."""
        name = Path(handle.external_id).name
        return self._runs / handle.run / "attempts" / name if handle.backend == self.name else None


def _process(
    job: TrainingJob, run: RunId, directories: Mapping[str, str], entry_point: Sequence[str]
) -> dict[str, Any]:
    """What is particular to a job in this Python environment."""
    environment = contract_environment(job, run, directories)
    return {"argv": [*entry_point, *job.command], "environment": environment}


def _refuse_missing_gpus(job: TrainingJob) -> None:
    """A job that was to have a GPU, trained without one, would be kept as one that had it."""
    there = len(list(Path("/dev").glob("nvidia[0-9]*")))
    if job.compute.gpu_count > there:
        raise InputError(
            f"The job {job.name!r} asks for {job.compute.gpu_count} GPU; this machine has {there or 'none'}.",
            hint="Ask without, or on a target that has them: isocenter target list.",
        )


def _container(job: TrainingJob, run: RunId) -> dict[str, Any]:
    """What is particular to a job in an image: its places are the container's own.

    Raises:
        InputError: the image is not named by its digest.
    """
    if job.image is None or not _DIGEST.search(job.image):
        raise InputError(
            f"The image {job.image!r} is not named by its digest.",
            hint="A tag can be moved to another image; REF@sha256:... can't.",
        )
    places = {kind: f"{_INSIDE}/{kind}" for kind in ("model", "output", "checkpoints")}
    inside = {channel: f"{_INSIDE}/inputs/{channel}" for channel in job.inputs}
    return {
        "image": job.image,
        "arguments": list(job.command),
        "environment": contract_environment(replace(job, inputs=inside), run, places),
        "inputs": {inside[channel]: path for channel, path in job.inputs.items()},
        "gpus": job.compute.gpu_count,
    }


def _refuse_other(path: Path, submission: Submission) -> None:
    """Keep the submission beside the run; refuse another one under the same run id."""
    known = read_json(path)
    if known is None:
        path.touch(mode=0o600)
        path.write_bytes(canonical_json({"digest": submission.digest, "request": dict(submission.request)}))
    elif known.get("digest") != submission.digest:
        raise InputError(
            f"Run {submission.run} was submitted before with another request.", hint="Use a new run id."
        )


def _has_failed(attempt: Attempt) -> bool:
    return _status(attempt).state in (JobState.FAILED, JobState.CANCELLED)


def _status(attempt: Attempt) -> JobStatus:
    # The order matters: the supervisor writes its result before it lets go of the lock.
    if attempt.is_supervised() and attempt.result() is None:
        return JobStatus(JobState.RUNNING)
    result = attempt.result()
    if result is None:
        return JobStatus(JobState.FAILED, reason="The job was killed from outside, with its supervisor.")
    code = int(result["exit_code"])
    if code == 0:
        return JobStatus(JobState.SUCCEEDED, exit_code=0)
    state = JobState.CANCELLED if result.get("stopped") else JobState.FAILED
    return JobStatus(state, exit_code=code, reason=_reason(attempt, result, code))


def _reason(attempt: Attempt, result: Mapping[str, Any], code: int) -> str:
    if result.get("stopped"):
        return "Stopped on request."
    if result.get("error"):
        return f"The program could not be started: {result['error']}."
    if result.get("timed_out"):
        return "Stopped at its time limit."
    said = failure_reason(attempt.log)
    if code < 0:
        memory = " The machine may have run out of memory." if code == -9 else ""
        return f"The job was killed by signal {-code}.{memory}" + (f" Its last words: {said}" if said else "")
    return said or f"The job ended with exit code {code} and said nothing."


def _artifact(directory: Path) -> Artifact:
    try:
        digest = digest_tree(directory)
    except ValueError as error:
        raise IntegrityError(f"The job's {directory.name} can't be published: {error}.") from error
    size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    return Artifact(directory.name, digest, MediaType.FILES, str(directory), size)
