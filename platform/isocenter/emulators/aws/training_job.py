"""One training job: its record as the service describes it, and the thread that brings it to its end."""

import json
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.emulators.aws.buckets import Transfer
from isocenter.emulators.aws.clients import ACCOUNT, Clients
from isocenter.emulators.aws.launch import Launch, NoInputError
from isocenter.storage.atomic import write_bytes

_POLL_S = 0.02
_CHECKPOINTS_EVERY_S = 0.25
_DEFAULT_RUNTIME_S = 86_400
_MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "Interrupted": "Training job interrupted: the spot capacity was taken back",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
}
_OVER = {
    "Completed": "Completed",
    "Failed": "Failed",
    "Stopped": "Stopped",
    "MaxRuntimeExceeded": "Stopped",
}


@dataclass(frozen=True)
class Surroundings:
    """What all jobs share.

    Args:
        clients: of the emulated account.
        program: what stands for an image's entry point.
        stop_grace_s: seconds between SIGTERM and SIGKILL.
    """

    clients: Clients
    program: Sequence[str]
    stop_grace_s: float


class TrainingJob:
    """A job that goes on in a thread of its own, from creation, or from where another process left it.

    Args:
        folder: of the job; holds its record, ``job.json``.
        record: what :meth:`new_record` made, or what lies in the folder.
        surroundings: what all jobs share.
        number: of the job; its hosts get addresses by it.
    """

    def __init__(self, folder: Path, record: dict[str, Any], surroundings: Surroundings, number: int) -> None:
        self._folder, self._record, self._surroundings = folder, record, surroundings
        self._lock = threading.RLock()
        self._stop, self._interrupt, self._abandoned = (threading.Event() for _ in range(3))
        self._loopback = f"127.{1 + number // 250 % 250}.{1 + number % 250}"
        s3 = surroundings.clients.client("s3", record["region"])
        self._transfer = Transfer(s3)
        if record["stop_requested"]:
            self._stop.set()
        self._thread = threading.Thread(target=self._live, daemon=True)

    @staticmethod
    def new_record(request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """The record of a job that was just accepted."""
        return {
            "request": dict(request),
            "region": region,
            "created": time.time(),
            "status": "InProgress",
            "transitions": [],
            "failure": "",
            "launches": 0,
            "trained_s": 0.0,
            "began": 0.0,
            "model": "",
            "stop_requested": False,
            "tags": list(request.get("Tags", ())),
        }

    @property
    def name(self) -> str:
        """TrainingJobName."""
        return str(self._record["request"]["TrainingJobName"])

    @property
    def arn(self) -> str:
        """TrainingJobArn."""
        return f"arn:aws:sagemaker:{self._record['region']}:{ACCOUNT}:training-job/{self.name}"

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._record["status"] in ("Completed", "Failed", "Stopped")

    @property
    def is_spot(self) -> bool:
        """Whether its machines may be taken back."""
        return bool(self._record["request"].get("EnableManagedSpotTraining"))

    @property
    def tags(self) -> list[dict[str, str]]:
        """Its tags; :meth:`set_tags` changes them."""
        return list(self._record["tags"])

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Replace its tags."""
        with self._lock:
            self._record["tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
            self._save()

    def begin(self) -> None:
        """Go on in a thread, unless it has ended."""
        with self._lock:
            self._save()
        if not self.is_over:
            self._thread.start()

    def ask_to_stop(self) -> None:
        """As StopTrainingJob."""
        with self._lock:
            self._record["stop_requested"] = True
            self._record["status"] = "Stopping"
            self._save()
        self._stop.set()

    def interrupt(self) -> None:
        """Take the machines of a spot job back; it starts again from its checkpoints."""
        self._interrupt.set()

    def end(self) -> None:
        """The emulator ends: kill the job's processes and leave the record as it is."""
        self._abandoned.set()
        if self._thread.is_alive():
            self._thread.join()

    def lose(self, why: str) -> None:
        """Kill what is left of it, which failed: not begun here, and not over."""
        self._launch().terminate(0)
        self._enter("Failed", why)

    def describe(self) -> dict[str, Any]:
        """As DescribeTrainingJob."""
        with self._lock:
            record = self._record
            request = {key: value for key, value in record["request"].items() if key != "Tags"}
            last = record["transitions"][-1] if record["transitions"] else {"Status": "Starting"}
            described = {
                **request,
                "TrainingJobArn": self.arn,
                "TrainingJobStatus": record["status"],
                "SecondaryStatus": "Stopping" if record["status"] == "Stopping" else last["Status"],
                "SecondaryStatusTransitions": [dict(each) for each in record["transitions"]],
                "CreationTime": record["created"],
                "LastModifiedTime": last.get("StartTime", record["created"]),
                "ModelArtifacts": {"S3ModelArtifacts": record["model"] or self._output("model.tar.gz")},
                "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
                "ProfilingStatus": "Disabled",
            }
            if record["failure"]:
                described["FailureReason"] = record["failure"]
            if record["began"]:
                described["TrainingStartTime"] = record["began"]
            if self.is_over:
                seconds = max(1, int(record["trained_s"]))
                described["TrainingEndTime"] = last["StartTime"]
                described |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
            return described

    def _live(self) -> None:
        try:
            launch = self._launched()
            while launch is not None and self._watch(launch) == "interrupted":
                self._interrupt.clear()
                self._record["launches"] += 1
                self._enter("Interrupted")
                launch = self._launched()
        except NoInputError as error:
            self._enter("Failed", str(error))
        except Exception as error:  # whatever it is, the job has an end and says so
            if not self._abandoned.is_set():
                self._enter("Failed", f"{type(error).__name__}: {error}")
        if self.is_over and self._record["launches"]:
            shutil.rmtree(self._launch_folder(), ignore_errors=True)

    def _launched(self) -> Launch | None:
        """Containers that run: found again, or started; None where the job was stopped before."""
        self._record["launches"] = self._record["launches"] or 1
        launch = self._launch()
        if not launch.is_started:
            self._enter("Starting")
            self._enter("Downloading")
            launch.prepare(self._transfer)
            if self._stop.is_set():
                self._enter("Stopped")
                return None
            launch.start()
            self._enter("Training")
        launch.send_logs(self._surroundings.clients.client("logs", self._record["region"]))
        return launch

    def _launch(self) -> Launch:
        record = self._record
        place = (self._launch_folder(), self.name, record["region"])
        return Launch(*place, record["request"], self._surroundings.program, self._loopback)

    def _launch_folder(self) -> Path:
        return self._folder / f"launch-{self._record['launches']}"

    def _watch(self, launch: Launch) -> str:
        """Wait for the containers' end; ``interrupted`` where the job is to start again."""
        began, saved = time.monotonic(), 0.0
        limit = (
            self._record["request"]
            .get("StoppingCondition", {})
            .get("MaxRuntimeInSeconds", _DEFAULT_RUNTIME_S)
        )
        cause = ""
        while None in (codes := launch.codes()):
            if self._abandoned.is_set():
                launch.terminate(0)
            elif not cause and (cause := self._cause(codes, began, limit)):
                launch.terminate(self._surroundings.stop_grace_s)
            if time.monotonic() - saved > _CHECKPOINTS_EVERY_S:
                launch.save_checkpoints(self._transfer)
                saved = time.monotonic()
            time.sleep(_POLL_S)
        if self._abandoned.is_set():
            return "abandoned"
        launch.save_checkpoints(self._transfer)
        launch.close()
        with self._lock:
            self._record["trained_s"] += time.monotonic() - began
        if cause == "interrupted" and any(codes):
            return cause
        self._finish(launch, cause, codes)
        return "over"

    def _cause(self, codes: Sequence[int | None], began: float, limit_s: float) -> str:
        """Why running containers are to stop; empty if they aren't."""
        if self._stop.is_set():
            return "stopped"
        if self._interrupt.is_set():
            return "interrupted"
        if self._record["trained_s"] + time.monotonic() - began > limit_s:
            return "too long"
        return "failed" if any(codes) else ""

    def _finish(self, launch: Launch, cause: str, codes: Sequence[int | None]) -> None:
        if any(codes) and cause not in ("stopped", "too long"):
            self._enter("Failed", launch.failure())
            return
        self._enter("Uploading")
        self._upload(launch)
        over = {"stopped": "Stopped", "too long": "MaxRuntimeExceeded"}
        self._enter(over.get(cause, "Completed"))

    def _upload(self, launch: Launch) -> None:
        key = self._record["request"]["OutputDataConfig"].get("KmsKeyId", "")
        models = [host.tree.model for host in launch.hosts]
        outputs = [host.tree.output for host in launch.hosts]
        model = self._output("model.tar.gz")
        self._transfer.send_archive(models, launch.folder / "model.tar.gz", model, key)
        if any(any(folder.iterdir()) for folder in outputs):
            target = self._output("output.tar.gz")
            self._transfer.send_archive(outputs, launch.folder / "output.tar.gz", target, key)
        with self._lock:
            self._record["model"] = model

    def _output(self, name: str) -> str:
        root = self._record["request"]["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        return f"{root}/{self.name}/output/{name}"

    def _enter(self, secondary: str, failure: str = "") -> None:
        now = time.time()
        with self._lock:
            record = self._record
            if record["transitions"]:
                record["transitions"][-1]["EndTime"] = now
            transition = {"Status": secondary, "StartTime": now, "StatusMessage": _MESSAGES[secondary]}
            record["transitions"].append(transition)
            if secondary in _OVER:
                record["transitions"][-1]["EndTime"] = now
                record["status"] = _OVER[secondary]
            if secondary == "Training":
                record["began"] = record["began"] or now
            record["failure"] = failure
            self._save()

    def _save(self) -> None:
        write_bytes(self._folder / "job.json", json.dumps(self._record).encode())
