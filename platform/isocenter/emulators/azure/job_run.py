"""The life of one job: queued, its data mounted, its processes run, its outputs kept.

A thread of the emulator leads it. The processes are not the emulator's children: when the emulator was killed
and comes back, they are found again.
"""

import os
import shutil
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import isodate
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient

from isocenter.backends.job_log import failure_reason
from isocenter.emulators.azure.container import Port, Scope, environments, filled, image_programs
from isocenter.emulators.azure.job_record import FINAL, JobRecord, now
from isocenter.emulators.azure.log_blob import LogBlob
from isocenter.emulators.azure.mount import BlobFolder, Mount
from isocenter.emulators.job_process import JobProcess

# Between SIGTERM and SIGKILL. Microsoft documents none for a cancelled job; of a low-priority machine that is
# taken away it says 30 s.
GRACE_S = 30.0
_POLL_S = 0.03
_FLUSH_S = 0.5


@dataclass(frozen=True)
class Surroundings:
    """What all jobs of an emulator share.

    Args:
        blobs: where data, outputs and logs lie.
        scope: the workspace.
        program: what stands for the image's entry point.
        grace_s: between SIGTERM and SIGKILL.
    """

    blobs: BlobServiceClient
    scope: Scope
    program: Sequence[str]
    grace_s: float = GRACE_S


class JobRun:
    """Leads one job to its end.

    Args:
        record: of the job.
        around: what all jobs share.
        places: inputs and outputs -> their blobs.
    """

    def __init__(
        self,
        record: JobRecord,
        around: Surroundings,
        places: Mapping[Port, BlobFolder],
    ) -> None:
        self._record = record
        self._around = around
        self._places = places
        self._grace_s = around.grace_s
        self._logs: list[LogBlob] = []
        self._leaves = threading.Event()
        self._thread = threading.Thread(target=self._lead, name=record.name, daemon=True)

    def start(self) -> None:
        """Go on with the job, wherever it is."""
        self._thread.start()

    def end(self) -> None:
        """Cancel the job at once, as the emulator ends."""
        self._record.change(asked="cancel")
        self._grace_s = min(self._grace_s, 5.0)
        self._thread.join(self._grace_s + 10)

    def log_files(self) -> dict[str, str]:
        """Name -> address of each log."""
        logs = self._logs or [
            LogBlob(self._around.blobs, self._record.name, path) for path in self._log_paths()
        ]
        return {log.name: log.url() for log in logs}

    def _log_paths(self) -> list[Path]:
        folder = self._record.folder / "user_logs"
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def _lead(self) -> None:
        try:
            while self._record.status not in FINAL:
                self._launch()
        except (AzureError, OSError, ValueError) as error:
            self._fail(f"The emulator failed: {type(error).__name__}: {error}")

    def _launch(self) -> None:
        """Once on a machine: to the job's end, or until the machine is taken away."""
        folder = self._record.folder / f"launch-{self._record.launch}"
        mounts = {port: self._mount(folder, port, place) for port, place in self._places.items()}
        processes = self._processes(folder, mounts)
        if not all(process.is_started for process in processes):
            if self._record.asked == "cancel":
                return self._finish("Canceled")
            self._record.change(status="Preparing")
            if missing := self._fill(mounts):
                return self._fail(
                    f"DataAccessError(NotFound): The input {missing!r} holds no file, or is not there."
                )
            for process in processes:
                if not process.is_started:
                    process.start()
            self._record.change(status="Running", started=self._record["started"] or now())
        else:
            for mount in mounts.values():
                mount.recall()
        written = [mount for (kind, _), mount in mounts.items() if kind == "outputs"]
        self._logs = [LogBlob(self._around.blobs, self._record.name, process.log) for process in processes]
        self._watch(processes, written)
        for log in self._logs:
            log.flush()
        for mount in written:
            mount.flush()
        for mount in mounts.values():
            mount.remove()
        return self._conclude(processes)

    def _mount(self, folder: Path, port: Port, place: BlobFolder) -> Mount:
        (kind, name), directory = port, folder / "cap" / "data-capability" / "wd"
        return Mount(self._around.blobs, place, directory / f"{'INPUT_' if kind == 'inputs' else ''}{name}")

    def _fill(self, mounts: Mapping[Port, Mount]) -> str:
        """Bring inputs, and what read-write mounts hold already; the name of an input that is empty."""
        for (kind, name), mount in mounts.items():
            mode = self._record.properties[kind][name].get("mode")
            mount.directory.mkdir(parents=True, exist_ok=True)
            is_read = kind == "inputs" or mode in ("ReadWriteMount", None)
            if is_read and mount.fill() == 0 and kind == "inputs":
                return name
        return ""

    def _processes(self, folder: Path, mounts: Mapping[Port, Mount]) -> list[JobProcess]:
        properties, logs = self._record.properties, self._record.folder / "user_logs"
        command = filled(properties["command"], {port: mount.directory for port, mount in mounts.items()})
        bin_folder = image_programs(folder / "bin", self._around.program)
        # Other programs of the image are those beside this Python.
        beside = Path(sys.executable).parent
        path = os.pathsep.join((str(bin_folder), str(beside), os.environ.get("PATH", os.defpath)))
        limit = (properties.get("limits") or {}).get("timeout")
        every = environments(self._record.name, properties, self._around.scope)
        return [
            JobProcess(
                ("/bin/bash", "-c", command),
                {**variables, "PATH": path},
                folder / f"process-{rank}",
                logs / ("std_log.txt" if len(every) == 1 else f"std_log_process_{rank}.txt"),
                max_runtime_s=isodate.parse_duration(limit).total_seconds() if limit else None,
                limit_grace_s=self._grace_s,
            )
            for rank, variables in enumerate(every)
        ]

    def _watch(self, processes: Sequence[JobProcess], written: Sequence[Mount]) -> None:
        """Until all processes have ended; one that fails ends the others."""
        told, flushed = False, time.monotonic()
        while None in (codes := [process.poll() for process in processes]):
            if (self._record.asked or any(codes)) and not told:
                for process in processes:
                    process.terminate(self._grace_s)
                told = True
            for log in self._logs:
                log.flush()
            if time.monotonic() - flushed > _FLUSH_S:
                for mount in written:
                    mount.flush()
                flushed = time.monotonic()
            time.sleep(_POLL_S)

    def _conclude(self, processes: Sequence[JobProcess]) -> None:
        endings = [ending for process in processes if (ending := process.ending())]
        failed = [number for number, one in enumerate(endings) if one.exit_code]
        # Those that were stopped because another had failed are not why.
        first = next((number for number in failed if not endings[number].stopped), next(iter(failed), None))
        if self._record.asked == "interrupt":
            return self._record.change(status="Queued", launch=self._record.launch + 1, asked="")
        if first is None:
            return self._finish("Completed")
        if self._record.asked == "cancel" or any(one.timed_out for one in endings):
            return self._finish("Canceled")
        log, code = processes[first].log, endings[first].exit_code
        said = endings[first].error or failure_reason(log)
        return self._fail(
            f"Execution failed. User process '/bin/bash' exited with status code {code}. Please check log"
            f" file 'user_logs/{log.name}' for error details. Error: {said}"
        )

    def _fail(self, message: str) -> None:
        self._record.change(
            error={"error": {"code": "UserError", "severity": None, "message": message, "details": []}}
        )
        self._finish("Failed")

    def _finish(self, status: str) -> None:
        for launch in self._record.folder.glob("launch-*/cap"):
            shutil.rmtree(launch, ignore_errors=True)
        self._record.change(status=status, ended=now())
