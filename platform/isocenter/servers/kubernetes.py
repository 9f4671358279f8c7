"""Endpoints in a Kubernetes cluster: a Deployment a version, one Service in front of all their pods.

A Service treats pods alike, so the traffic is split by their numbers: 10 % is one pod of ten, near enough
over many connections and not exact over few. New pods join when they are ready; when all are, those that are
not asked for any more leave after their last request. What was asked for last lies in annotations of the
Service.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar

from isocenter.backends.kubernetes_api import Cluster, ConflictError
from isocenter.backends.place import described
from isocenter.domain.rollout import Endpoint, EndpointState, Observation, Rollout, Variant
from isocenter.domain.run import RunId
from isocenter.domain.submission import Submission
from isocenter.errors import InputError, IsocenterError
from isocenter.home import Home
from isocenter.servers.base import Capability, refuse_unsupported
from isocenter.servers.kubernetes_counts import Counts, counts_from_json, counts_in, total
from isocenter.servers.kubernetes_manifests import (
    ACCESS_VARIABLE,
    ADMIN_PORT,
    CONTAINER,
    ENDPOINT_LABEL,
    REFERENCE_NOTE,
    VERSION_LABEL,
    rollout_request,
)
from isocenter.servers.kubernetes_state import (
    BASELINE_NOTE,
    FAILED_NOTE,
    IN_FORCE_NOTE,
    REASON_NOTE,
    ROLLOUT_NOTE,
    SERVING_NOTE,
    SUBMISSION_NOTE,
    Found,
    endpoint_of,
)

Object = dict[str, Any]
_NAMESPACE = "isocenter"
_POLL_S = 0.5
_LONGEST_REASON = 1_500


class KubernetesServer:
    """The server of targets in a cluster: a hospital's own, EKS, GKE or AKS.

    Args:
        home: the store; an emulated cluster's endpoints take the tokens of its issuer.
        settings: ``descriptor`` (of the deployment), and in it or beside it: ``context`` and ``namespace``
            of the cluster, and those of :func:`~isocenter.servers.kubernetes_manifests.rollout_request`.
    """

    name: ClassVar[str] = "kubernetes"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.ABSTENTION,
            Capability.AUTOSCALING,
            Capability.GPU,
            Capability.IMAGE,
            Capability.SPLIT,
        }
    )

    def __init__(self, home: Home, settings: Mapping[str, Any] | None = None) -> None:
        self._home = home
        self._descriptor = described(settings or {}, self.name)
        self._settings = {**self._descriptor.settings, **(settings or {})}
        self._namespace: str = self._settings.get("namespace") or self._descriptor.workspace or _NAMESPACE

    def plan(self, rollout: Rollout) -> Submission:
        """The objects of the endpoint; the Deployments' names say what their pods are made of."""
        refuse_unsupported(rollout, self.name, self.capabilities)
        request = rollout_request(self._descriptor, self._settings, self._namespace, rollout)
        return Submission(self.name, rollout.id, request)

    def apply(self, submission: Submission) -> Endpoint:
        """Make what is missing; once that is ready, end what is too much."""
        found = self._claimed(submission)
        if found.notes.get(FAILED_NOTE) == submission.run:
            return self._go_back(found)
        wanted = _names(submission.request["deployments"])
        for name in wanted:
            deployment = found.deployment(name)
            if deployment is not None and (problem := found.problem(deployment)):
                return self._fail(submission, found, problem)
        scalers = self._scalers(submission)
        if self._grow(submission, found, wanted) or self._shrink(submission, found, wanted):
            return endpoint_of(found, self._url(found), EndpointState.UPDATING)
        self._scale(submission, scalers)
        if found.notes.get(IN_FORCE_NOTE) != submission.run:
            found = self._enforce(submission, found)
        return endpoint_of(found, self._url(found))

    def describe(self, name: str) -> Endpoint | None:
        """What the cluster has, and what the annotations say was asked for."""
        try:
            found = self._find(name)
        except IsocenterError:
            return Endpoint(name, EndpointState.UNKNOWN, RunId(""))
        return None if found is None else endpoint_of(found, self._url(found))

    def observe(self, name: str) -> Mapping[str, Observation]:
        """What the pods counted since the newest rollout came into force; pods that are gone are left out."""
        found = self._find(name)
        if found is None:
            return {}
        before = json.loads(found.notes.get(BASELINE_NOTE, "{}"))
        seen: dict[str, list[Counts]] = {}
        for (pod, reference), counts in self._counts(found).items():
            known = before.get(pod)
            since = counts - counts_from_json(known) if known else counts
            seen.setdefault(reference, []).append(since)
        return {reference: total(counts).observation() for reference, counts in seen.items()}

    def logs(self, name: str, reference: str | None = None, *, follow: bool = False) -> Iterator[str]:
        """What the pods wrote, one after the other."""
        selector = f"{ENDPOINT_LABEL}={name}"
        if reference:
            selector += f",{VERSION_LABEL}={Variant(reference, '', '').name}"
        given: Counter[str] = Counter()
        while True:
            is_there = not follow or self._cluster.get("Service", name) is not None
            for pod in self._cluster.list("Pod", labels=selector):
                lines = self._lines(pod)
                yield from lines[given[pod["metadata"]["uid"]] :]
                given[pod["metadata"]["uid"]] = len(lines)
            if not follow or not is_there:
                return
            time.sleep(_POLL_S)

    def delete(self, name: str) -> None:
        """Delete all of its objects, the Service last; pods end after their last requests."""
        selector = f"{ENDPOINT_LABEL}={name}"
        for kind in ("HorizontalPodAutoscaler", "Deployment", "PodDisruptionBudget", "Service"):
            for each in self._cluster.list(kind, labels=selector):
                self._cluster.delete(kind, each["metadata"]["name"])

    def _claimed(self, submission: Submission) -> Found:
        """The endpoint, which from now on is asked for this rollout."""
        request, run = submission.request, submission.run
        notes = {ROLLOUT_NOTE: run, SUBMISSION_NOTE: submission.digest}
        found = self._find(request["endpoint"])
        if found is None:
            metadata = {**request["service"]["metadata"], "annotations": notes}
            self._make({**request["service"], "metadata": metadata})
            self._make(request["budget"])
            found = self._found(request["endpoint"])
        _refuse_other(found, submission)
        if found.notes.get(ROLLOUT_NOTE) != run:
            self._note(found, notes)
            found = self._found(request["endpoint"])
        return found

    def _grow(self, submission: Submission, found: Found, wanted: Mapping[str, Object]) -> bool:
        """Make what is missing; whether something isn't ready yet."""
        waits = False
        for name, deployment in wanted.items():
            now, pods = found.deployment(name), deployment["spec"]["replicas"]
            if now is None:
                self._make(self._with_access(submission.request["endpoint"], deployment))
            elif now["spec"]["replicas"] < pods:
                self._cluster.patch("Deployment", name, {"spec": {"replicas": pods}})
            elif found.is_available(now):
                continue
            waits = True
        if self._cluster.get("PodDisruptionBudget", submission.request["endpoint"]) is None:
            self._make(submission.request["budget"])
        return waits

    def _shrink(self, submission: Submission, found: Found, wanted: Mapping[str, Object]) -> bool:
        """End what is too much; whether there was something."""
        scaled = {each["metadata"]["name"] for each in submission.request["scalers"]}
        is_more = False
        for now in found.deployments:
            name = now["metadata"]["name"]
            if name not in wanted:
                self._end(name)
            elif name not in scaled and now["spec"]["replicas"] > wanted[name]["spec"]["replicas"]:
                pods = wanted[name]["spec"]["replicas"]
                self._cluster.patch("Deployment", name, {"spec": {"replicas": pods}})
            elif name in scaled or not found.has_more(now):
                continue
            is_more = True
        return is_more

    def _scalers(self, submission: Submission) -> dict[str, Object]:
        """Those that are there and wanted; others, which would keep pods at their numbers, are ended."""
        kind, wanted = "HorizontalPodAutoscaler", _names(submission.request["scalers"])
        selector = f"{ENDPOINT_LABEL}={submission.request['endpoint']}"
        there = _names(self._cluster.list(kind, labels=selector))
        for name in there.keys() - wanted.keys():
            self._cluster.delete(kind, name)
        return {name: each for name, each in there.items() if name in wanted}

    def _scale(self, submission: Submission, there: Mapping[str, Object]) -> None:
        """Bounds by HorizontalPodAutoscalers, as they were asked for."""
        for name, scaler in _names(submission.request["scalers"]).items():
            if name not in there:
                self._make(scaler)
            elif any(there[name]["spec"].get(f) != scaler["spec"][f] for f in ("minReplicas", "maxReplicas")):
                self._cluster.patch("HorizontalPodAutoscaler", name, {"spec": scaler["spec"]})

    def _enforce(self, submission: Submission, found: Found) -> Found:
        """Write down that it is in force, and what the pods have counted until now."""
        counts = {pod: each.as_json() for (pod, _), each in self._counts(found).items()}
        serving = {each["metadata"]["name"]: each["spec"]["replicas"] for each in found.deployments}
        notes = {
            IN_FORCE_NOTE: submission.run,
            SERVING_NOTE: json.dumps(serving),
            BASELINE_NOTE: json.dumps(counts),
        }
        self._note(found, notes)
        return self._found(submission.request["endpoint"])

    def _fail(self, submission: Submission, found: Found, problem: str) -> Endpoint:
        self._note(found, {FAILED_NOTE: submission.run, REASON_NOTE: problem[:_LONGEST_REASON]})
        return self._go_back(self._found(submission.request["endpoint"]))

    def _go_back(self, found: Found) -> Endpoint:
        """What was in force last stays alone; its pods answered all the time."""
        for now in found.deployments:
            name = now["metadata"]["name"]
            pods = found.serving.get(name)
            if pods is None:
                self._end(name)
            elif now["spec"]["replicas"] != pods:
                self._cluster.patch("Deployment", name, {"spec": {"replicas": pods}})
        return endpoint_of(found, self._url(found), EndpointState.FAILED)

    def _end(self, deployment: str) -> None:
        self._cluster.delete("HorizontalPodAutoscaler", deployment)
        self._cluster.delete("Deployment", deployment)

    def _with_access(self, endpoint: str, deployment: Object) -> Object:
        """An emulated cluster's pods take the tokens of the store's development issuer."""
        made: Object = json.loads(json.dumps(deployment))
        variables = made["spec"]["template"]["spec"]["containers"][0]["env"]
        if ACCESS_VARIABLE not in {each["name"] for each in variables}:
            from isocenter.servers.local_access import access_environment

            given = access_environment(self._home, endpoint)
            variables += [{"name": name, "value": value} for name, value in given.items()]
        return made

    def _counts(self, found: Found) -> dict[tuple[str, str], Counts]:
        """By pod and version."""
        seen = {}
        for deployment in found.deployments:
            for pod in found.pods_of(deployment):
                try:
                    said = self._cluster.ask_pod(pod["metadata"]["name"], ADMIN_PORT, "metrics")
                except IsocenterError:
                    continue  # it has just been started, or ended
                reference = deployment["metadata"]["annotations"][REFERENCE_NOTE]
                seen[pod["metadata"]["name"], reference] = counts_in(said)
        return seen

    def _lines(self, pod: Object) -> list[str]:
        try:
            said = b"".join(self._cluster.log(pod["metadata"]["name"], CONTAINER, follow=False))
        except InputError:
            return []  # it has not started
        return said.decode("utf-8", "replace").splitlines()

    def _make(self, manifest: Object) -> None:
        try:
            self._cluster.create(manifest)
        except ConflictError:
            return  # an apply before this one got so far

    def _note(self, found: Found, notes: Mapping[str, str]) -> None:
        name = found.service["metadata"]["name"]
        self._cluster.patch("Service", name, {"metadata": {"annotations": dict(notes)}})

    def _found(self, name: str) -> Found:
        found = self._find(name)
        if found is None:
            raise InputError(f"The Service {name} has just been deleted by somebody.")
        return found

    def _find(self, name: str) -> Found | None:
        service = self._cluster.get("Service", name)
        if service is None:
            return None
        selector = f"{ENDPOINT_LABEL}={name}"
        deployments = self._cluster.list("Deployment", labels=selector)
        return Found(service, deployments, self._cluster.list("Pod", labels=selector))

    def _url(self, found: Found) -> str:
        """The name in the cluster; of an emulated one, the port of this machine."""
        name, port = found.service["metadata"]["name"], found.service["spec"]["ports"][0]
        if self._descriptor.emulated and port.get("nodePort"):
            return f"http://127.0.0.1:{port['nodePort']}"
        return f"http://{name}.{self._namespace}.svc"

    @cached_property
    def _cluster(self) -> Cluster:
        return Cluster(self._descriptor, self._namespace, self._settings.get("context", ""))


def _names(manifests: Iterable[Object]) -> dict[str, Object]:
    return {each["metadata"]["name"]: each for each in manifests}


def _refuse_other(found: Found, submission: Submission) -> None:
    """Raise if the endpoint was asked for something that this must not replace."""
    name, known = submission.request["endpoint"], found.notes.get(ROLLOUT_NOTE, "")
    if not known:
        raise InputError(
            f"The Service {name} was made by somebody else.", hint="Take another name, or delete it there."
        )
    if known == submission.run and found.notes.get(SUBMISSION_NOTE) != submission.digest:
        raise InputError(f"The rollout {submission.run} was applied before with another request.")
    if known > submission.run:
        raise InputError(f"The rollout {submission.run} of {name} was replaced by {known}.")
