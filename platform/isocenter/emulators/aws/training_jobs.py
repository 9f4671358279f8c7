"""The calls of SageMaker about training jobs that are answered here, and the jobs themselves."""

import json
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from isocenter.emulators.aws.placement import check_placement, check_rules
from isocenter.emulators.aws.request_check import check_request
from isocenter.emulators.aws.service_error import ServiceError, invalid
from isocenter.emulators.aws.training_job import Surroundings, TrainingJob

_ABOUT_TAGS = ("AddTags", "ListTags", "DeleteTags")
_LOST = "InternalServerError: the emulator was ended in the middle, and what it held in memory is gone."
_ORDER = {"Name": "TrainingJobName", "Status": "TrainingJobStatus", "CreationTime": "CreationTime"}


class TrainingJobs:
    """All jobs of the emulated account.

    Args:
        folder: where they lie; those of an earlier process are found there.
        surroundings: what all jobs share.
        go_on: found jobs go on; else what they wrote is gone, and those that had not ended have failed.
    """

    def __init__(self, folder: Path, surroundings: Surroundings, *, go_on: bool = True) -> None:
        self._folder, self._surroundings = folder, surroundings
        self._lock = threading.Lock()
        self._jobs: dict[tuple[str, str], TrainingJob] = {}
        self._operations: Mapping[str, Callable[[Mapping[str, Any], str], Mapping[str, Any]]] = {
            "CreateTrainingJob": self._create,
            "DescribeTrainingJob": self._describe,
            "ListTrainingJobs": self._list,
            "StopTrainingJob": self._stop,
            "AddTags": self._add_tags,
            "ListTags": self._list_tags,
            "DeleteTags": self._delete_tags,
        }
        for path in sorted(folder.glob("*/*/job.json")):
            job = self._take(json.loads(path.read_bytes()))
            if go_on:
                job.begin()
            elif job.is_over:
                self._forget(job)
            else:
                job.lose(_LOST)

    def answers(self, operation: str, request: Mapping[str, Any]) -> bool:
        """Whether this call is answered here."""
        if operation in _ABOUT_TAGS:
            return ":training-job/" in str(request.get("ResourceArn", ""))
        return operation in self._operations

    def do(self, operation: str, request: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        """The service's answer.

        Raises:
            ServiceError: the request is refused.
        """
        check_request(operation, request)
        return self._operations[operation](request, region)

    def interrupt(self, name: str) -> None:
        """Take back the machines of the spot job ``name``.

        Raises:
            ServiceError: there is no such job, or it isn't on spot machines.
        """
        found = [job for (_, known), job in self._jobs.items() if known == name]
        if not found or not found[0].is_spot or found[0].is_over:
            raise invalid(f"No job {name!r} runs on spot machines.")
        found[0].interrupt()

    def names(self) -> list[str]:
        """Names of all jobs."""
        return sorted(name for _, name in self._jobs)

    def clear(self) -> None:
        """Forget all jobs; kill those that go on."""
        self.close()
        with self._lock:
            self._jobs.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        """Kill the processes of the jobs that go on."""
        for job in list(self._jobs.values()):
            job.end()

    def _forget(self, job: TrainingJob) -> None:
        key = next(key for key, known in self._jobs.items() if known is job)
        del self._jobs[key]
        shutil.rmtree(self._folder / key[0] / key[1], ignore_errors=True)

    def _take(self, record: dict[str, Any]) -> TrainingJob:
        key = record["region"], record["request"]["TrainingJobName"]
        folder = self._folder / key[0] / key[1]
        folder.mkdir(parents=True, exist_ok=True)
        self._jobs[key] = TrainingJob(folder, record, self._surroundings, len(self._jobs))
        return self._jobs[key]

    def _create(self, request: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        check_rules(request)
        check_placement(request, self._surroundings.clients, region)
        with self._lock:
            known = self._jobs.get((region, request["TrainingJobName"]))
            if known is not None:
                raise ServiceError(
                    "ResourceInUse",
                    "Training job names must be unique within an AWS account and region, and a training job"
                    f" with this name already exists ({known.arn})",
                )
            job = self._take(TrainingJob.new_record(request, region))
            job.begin()
        return {"TrainingJobArn": job.arn}

    def _describe(self, request: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        return self._job(request["TrainingJobName"], region).describe()

    def _stop(self, request: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        job = self._job(request["TrainingJobName"], region)
        if job.is_over:
            status = job.describe()["TrainingJobStatus"]
            raise invalid(f"The request was rejected because the training job is in status {status}.")
        job.ask_to_stop()
        return {}

    def _list(self, request: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        found = [job.describe() for (where, _), job in self._jobs.items() if where == region]
        found = [each for each in found if _is_wanted(each, request)]
        key = _ORDER[request.get("SortBy", "CreationTime")]
        found.sort(key=lambda each: each[key], reverse=request.get("SortOrder") != "Ascending")
        begin, size = int(request.get("NextToken") or 0), request.get("MaxResults", 10)
        page = found[begin : begin + size]
        more = {"NextToken": str(begin + size)} if begin + size < len(found) else {}
        return {"TrainingJobSummaries": [_summary(each) for each in page], **more}

    def _add_tags(self, request: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        job = self._tagged(request)
        job.set_tags(_by_key(job.tags) | _by_key(request["Tags"]))
        return {"Tags": job.tags}

    def _list_tags(self, request: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        return {"Tags": self._tagged(request).tags}

    def _delete_tags(self, request: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        job = self._tagged(request)
        kept = {key: value for key, value in _by_key(job.tags).items() if key not in request["TagKeys"]}
        job.set_tags(kept)
        return {}

    def _tagged(self, request: Mapping[str, Any]) -> TrainingJob:
        _, _, _, region, _, resource = request["ResourceArn"].split(":", 5)
        return self._job(resource.partition("/")[2], region)

    def _job(self, name: str, region: str) -> TrainingJob:
        job = self._jobs.get((region, name))
        if job is None:
            raise invalid("Requested resource not found.")
        return job


def _is_wanted(job: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    return (
        request.get("NameContains", "") in job["TrainingJobName"]
        and request.get("StatusEquals", job["TrainingJobStatus"]) == job["TrainingJobStatus"]
        and request.get("CreationTimeAfter", 0) <= job["CreationTime"]
        and job["CreationTime"] <= request.get("CreationTimeBefore", job["CreationTime"])
    )


def _summary(job: Mapping[str, Any]) -> dict[str, Any]:
    names = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingEndTime", "LastModifiedTime")
    return {name: job[name] for name in (*names, "TrainingJobStatus", "SecondaryStatus") if name in job}


def _by_key(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}
