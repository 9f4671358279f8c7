"""A job reads and writes only where the deployment keeps its data."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from isocenter.policy.pods import pods
from isocenter.policy.rule import Flaw, JobRequest, Rule
from isocenter.targets.descriptor import DeploymentDescriptor

_STORAGE = re.compile(
    r"(?:s3a?|gs|abfss?|wasbs?|azureml|hdfs|s?ftp)://[^\s\"'\\,;]+"
    r"|https?://[^/\s\"']*\.(?:blob|dfs|file)\.core\.windows\.net[^\s\"'\\,;]*"
    r"|https?://(?:[^/\s\"']*\.)?s3[.-][^/\s\"']*amazonaws\.com[^\s\"'\\,;]*"
    r"|https?://storage\.(?:googleapis|cloud\.google)\.com[^\s\"'\\,;]*",
    re.IGNORECASE,
)
_PURPOSES = ("data", "models")
# Volumes that are the pod's own, or parts of its namespace. A path of the node is another rule's affair.
_VOLUMES = {
    "emptyDir",
    "persistentVolumeClaim",
    "configMap",
    "secret",
    "projected",
    "downwardAPI",
    "hostPath",
}


class OwnBuckets(Rule):
    id = "ISO_JOB_010"
    severity = "critical"
    title = "A job reads and writes only where the deployment keeps its data"
    why = "A bucket elsewhere is outside of the perimeter, its keys, its region and its audit trail."
    fix = "Bring the data to the target's buckets data and models; `pipeline run --target` does it by itself."
    control = 19
    citations = ("164.312(e)(1)",)
    needs_target = True

    def sagemaker(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _elsewhere(job)
        for place, text in job.texts:
            if place.endswith(("S3Uri", "S3OutputPath")) and not _STORAGE.match(text):
                yield Flaw(place, "is no place in a bucket")
        for number, channel in enumerate(job.get("InputDataConfig") or ()):
            if "S3DataSource" not in (channel.get("DataSource") or {}):
                yield Flaw(f"InputDataConfig.{number}.DataSource", "is no bucket of the deployment")

    def vertex(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _elsewhere(job)
        place = "customJob.jobSpec.workerPoolSpecs"
        for number, pool in enumerate(job.get(place) or ()):
            if pool.get("nfsMounts"):
                yield Flaw(f"{place}.{number}.nfsMounts", "is no bucket of the deployment")

    def azureml(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _elsewhere(job)
        for kind in ("inputs", "outputs"):
            for name, body in (job.get(f"job.{kind}") or {}).items():
                path = body.get("path", "") if isinstance(body, Mapping) else str(body)
                if not _STORAGE.match(str(path)):
                    yield Flaw(f"job.{kind}.{name}", "is no place in a datastore of the deployment")

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _elsewhere(job)
        for place, pod in pods(job):
            for number, volume in enumerate(pod.get("volumes") or ()):
                if not _is_own(volume, job.known_target):
                    yield Flaw(f"{place}.volumes.{number}", "is no volume of the deployment")

    def any_service(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _elsewhere(job)


def _elsewhere(job: JobRequest) -> Iterator[Flaw]:
    own = tuple(_own_places(job.known_target))
    for place, text in job.texts:
        for uri in _STORAGE.findall(text):
            if not f"{uri}/".startswith(own) or ".." in uri.split("/"):
                yield Flaw(place, f"names a place outside of the buckets of {job.known_target.name}")


def _own_places(target: DeploymentDescriptor) -> Iterator[str]:
    for purpose in _PURPOSES:
        if purpose in target.buckets:
            yield f"{target.buckets[purpose].rstrip('/')}/"
        datastore = target.settings.get("datastores", {}).get(purpose)
        if datastore:
            yield f"azureml://datastores/{datastore}/paths/"


def _is_own(volume: Mapping[str, Any], target: DeploymentDescriptor) -> bool:
    if set(volume) - {"name"} - _VOLUMES:
        return False
    claim = volume.get("persistentVolumeClaim")
    return claim is None or claim.get("claimName") in target.settings.get("volumes", {}).values()


RULE = OwnBuckets()
