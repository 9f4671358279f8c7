"""Endpoints on SageMaker: a version is a production variant, the traffic is split by their weights.

Another split of the same versions is a shift of weights. Other versions, machines or keys are a new
configuration, for which SageMaker starts new instances beside the old ones and moves the traffic when they
are healthy; if they never are, it goes back by itself. What was asked for last lies in tags on the endpoint.
"""

import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar

from isocenter.backends.aws_calls import asking, aws_client
from isocenter.backends.job_log import reason_in
from isocenter.backends.place import described
from isocenter.backends.sagemaker_log import EndpointLog
from isocenter.domain.rollout import Endpoint, EndpointState, Observation, Rollout
from isocenter.domain.run import RunId
from isocenter.domain.submission import Submission
from isocenter.errors import InputError, IsocenterError
from isocenter.home import Home
from isocenter.servers.base import Capability, refuse_unsupported
from isocenter.servers.sagemaker_calls import SageMakerCalls, models_of
from isocenter.servers.sagemaker_metrics import observations
from isocenter.servers.sagemaker_names import EndpointNames
from isocenter.servers.sagemaker_request import ROLLOUT_TAG, rollout_request
from isocenter.servers.sagemaker_scaling import Scaling
from isocenter.servers.sagemaker_state import (
    CONFIG_TAG,
    REQUEST_TAG,
    TRIED_TAG,
    Found,
    endpoint_of,
)

_POLL_S = 1.0
_READ_S = 60.0


class SageMakerServer:
    """The server of targets on AWS.

    Args:
        home: the store; nothing is kept there.
        settings: ``descriptor``; ``read_timeout_s`` (of one call, default 60), and those of
            :func:`~isocenter.servers.sagemaker_request.rollout_request`.

    Raises:
        InputError: there is no descriptor.
    """

    name: ClassVar[str] = "sagemaker"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.AUTOSCALING, Capability.GPU, Capability.IMAGE, Capability.SHADOW, Capability.SPLIT}
    )

    def __init__(self, home: Home, settings: Mapping[str, Any] | None = None) -> None:
        self._settings = settings or {}
        self._descriptor = described(self._settings, self.name)

    def plan(self, rollout: Rollout) -> Submission:
        """Models, configuration, endpoint, weights and scaling, each as its operation takes it."""
        refuse_unsupported(rollout, self.name, self.capabilities)
        return Submission(self.name, rollout.id, rollout_request(self._descriptor, self._settings, rollout))

    def apply(self, submission: Submission) -> Endpoint:
        """Create the endpoint, or take it one change further; UPDATING while SageMaker is at work."""
        request, name = submission.request, submission.request["endpoint"]
        with asking():
            found = self._find(name)
            if found is not None:
                return self._advance(submission, found)
            self._service.make_records(request)
            tags = {REQUEST_TAG: submission.digest, **_claim(submission), TRIED_TAG: submission.run}
            self._service.create(_with_tags(request["CreateEndpoint"], tags))
        return Endpoint(name, EndpointState.UPDATING, submission.run, self._url(name))

    def describe(self, name: str) -> Endpoint | None:
        """What SageMaker tells, and what the tags say was asked for."""
        try:
            with asking():
                found = self._find(name)
                return None if found is None else self._endpoint(name, found)
        except IsocenterError:
            return Endpoint(name, EndpointState.UNKNOWN, RunId(""))

    def observe(self, name: str) -> Mapping[str, Observation]:
        """What CloudWatch counted since the newest rollout was asked for."""
        from ulid import ULID

        with asking():
            found = self._find(name)
            if found is None or not found.rollout:
                return {}
            versions = self._versions(found.config)
            endpoint, since = self._names(name).endpoint, ULID.from_str(found.rollout).datetime
            seen = observations(self._client("cloudwatch"), endpoint, list(versions), since)
        return {versions[variant][0]: each for variant, each in seen.items()}

    def logs(self, name: str, reference: str | None = None, *, follow: bool = False) -> Iterator[str]:
        """The containers' output as CloudWatch has it, of one variant or of all."""
        log = self._log(name, _variant_name(reference))
        while True:
            with asking():
                is_there = not follow or self._find(name) is not None
                yield from log.new_lines()
            if not follow or not is_there:
                return
            time.sleep(_POLL_S)

    def delete(self, name: str) -> None:
        """End scaling, then the endpoint, then its configurations and models."""
        names = self._names(name)
        with asking():
            found = self._find(name)
            if found is not None and found.status != "Deleting":
                self._scaling.end(names.endpoint, [each["VariantName"] for each in found.variants])
                self._service.delete(names.endpoint)
            self._service.forget_records(names)

    def _advance(self, submission: Submission, found: Found) -> Endpoint:
        """The next change of an endpoint that is there."""
        _refuse_other(found, submission)
        request, name = submission.request, submission.request["endpoint"]
        if found.is_at_work:
            if found.pending == request["UpdateEndpoint"]["EndpointConfigName"]:
                self._mark_tried(found, submission)
            return self._endpoint(name, found, EndpointState.UPDATING)
        if found.status == "Failed" and found.rollout != submission.run:
            # Nothing else can be done with it; it never answered.
            self._service.delete(request["CreateEndpoint"]["EndpointName"])
            return self._endpoint(name, found, EndpointState.UPDATING)
        if found.status == "Failed":
            return self._endpoint(name, found)
        if found.rollout != submission.run:
            found = self._claimed(found, submission)
        if found.has_fleet(request["UpdateEndpoint"]["EndpointConfigName"]):
            return self._split(submission, found)
        if found.is_tried:
            return self._endpoint(name, found, EndpointState.FAILED)
        return self._exchange(submission, found)

    def _split(self, submission: Submission, found: Found) -> Endpoint:
        """The versions are there: see to their weights, then to scaling and what earlier ones left."""
        request, name = submission.request, submission.request["endpoint"]
        shift = request["UpdateEndpointWeightsAndCapacities"]
        names = self._names(name)
        if found.has_split(shift["DesiredWeightsAndCapacities"]):
            variants = [each["VariantName"] for each in found.variants]
            self._scaling.reach(names.endpoint, variants, request)
            self._service.forget_records(names, kept=found.config)
            return self._endpoint(name, found, EndpointState.READY)
        if found.is_tried and found.description.get("FailureReason"):
            return self._endpoint(name, found, EndpointState.FAILED)
        self._service.shift(shift)
        self._mark_tried(found, submission)
        return self._endpoint(name, found, EndpointState.UPDATING)

    def _exchange(self, submission: Submission, found: Found) -> Endpoint:
        """Have SageMaker start other instances."""
        request, name = submission.request, submission.request["endpoint"]
        variants = [each["VariantName"] for each in found.variants]
        self._scaling.end(self._names(name).endpoint, variants)
        self._service.make_records(request)
        self._service.update(request["UpdateEndpoint"])
        self._mark_tried(found, submission)
        return self._endpoint(name, found, EndpointState.UPDATING)

    def _claimed(self, found: Found, submission: Submission) -> Found:
        """The endpoint, which from now on is asked for this rollout."""
        tags = {ROLLOUT_TAG: submission.run, REQUEST_TAG: submission.digest, **_claim(submission)}
        self._service.tag(found.arn, tags)
        return Found(found.description, {**found.tags, **tags})

    def _mark_tried(self, found: Found, submission: Submission) -> None:
        if not found.is_tried:
            self._service.tag(found.arn, {TRIED_TAG: submission.run})

    def _endpoint(self, name: str, found: Found, state: EndpointState | None = None) -> Endpoint:
        state = state or found.state()
        reason = self._reason(name, found) if state is EndpointState.FAILED else ""
        if found.status == "Deleting":
            reason = "It is being deleted."
        return endpoint_of(name, found, self._url(name), self._versions, reason, state)

    def _reason(self, name: str, found: Found) -> str:
        """SageMaker's words, and the last ones of the versions that did not come up."""
        said = str(found.description.get("FailureReason", "")).strip()
        in_force = {each["VariantName"] for each in found.variants} if found.status != "Failed" else set()
        asked = models_of(self._service.config(found.tags.get(CONFIG_TAG, found.config)))
        last = (reason_in("\n".join(self._log(name, v).new_lines())) for v in asked if v not in in_force)
        return "\n".join(text for text in (said, *last) if text) or (
            "SageMaker went back to the configuration before, and gave no reason."
        )

    def _versions(self, config: str) -> dict[str, tuple[str, str]]:
        """Variant -> reference and digest, as the models' variables have them."""
        found = {}
        for variant, model in models_of(self._service.config(config)).items():
            given = self._service.environment(model)
            reference = f"{given.get('ISOCENTER_SERVING_NAME')}:{given.get('ISOCENTER_SERVING_NUMBER')}"
            found[variant] = (
                (reference, given.get("ISOCENTER_SERVING_DIGEST", "")) if given else (variant, "")
            )
        return found

    def _find(self, name: str) -> Found | None:
        description = self._service.endpoint(self._names(name).endpoint)
        if description is None:
            return None
        return Found(description, self._service.tags(description["EndpointArn"]))

    def _log(self, name: str, variant: str) -> EndpointLog:
        return EndpointLog(self._client("logs"), self._names(name).endpoint, variant)

    def _names(self, name: str) -> EndpointNames:
        return EndpointNames.of(self._descriptor, name)

    def _url(self, name: str) -> str:
        own = f"https://runtime.sagemaker.{self._descriptor.region}.amazonaws.com"
        address = self._descriptor.endpoints.get("aws", own)
        return f"{address}/endpoints/{self._names(name).endpoint}/invocations"

    @cached_property
    def _service(self) -> SageMakerCalls:
        return SageMakerCalls(self._client("sagemaker"))

    @cached_property
    def _scaling(self) -> Scaling:
        return Scaling(self._client("application-autoscaling"))

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            timeout = float(self._settings.get("read_timeout_s", _READ_S))
            self._clients[service] = aws_client(self._descriptor, service, read_timeout_s=timeout)
        return self._clients[service]


def _claim(submission: Submission) -> dict[str, str]:
    return {CONFIG_TAG: submission.request["UpdateEndpoint"]["EndpointConfigName"]}


def _with_tags(request: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    more = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {**request, "Tags": [*request["Tags"], *more]}


def _variant_name(reference: str | None) -> str:
    from isocenter.domain.rollout import Variant

    return Variant(reference, "", "").name if reference else ""


def _refuse_other(found: Found, submission: Submission) -> None:
    """Raise if the endpoint was asked for something that this must not replace."""
    name = submission.request["endpoint"]
    if found.rollout == submission.run and found.tags.get(REQUEST_TAG) != submission.digest:
        raise InputError(f"The rollout {submission.run} was applied before with another request.")
    if found.rollout > submission.run:
        raise InputError(f"The rollout {submission.run} of {name} was replaced by {found.rollout}.")
    if not found.rollout:
        raise InputError(
            f"The endpoint {submission.request['CreateEndpoint']['EndpointName']} on SageMaker was made by"
            " somebody else.",
            hint="Take another name, or delete it there.",
        )
