"""The next step of an endpoint on Vertex AI toward what was asked for.

The endpoint itself is the record: its labels say which rollout it is at, and how far. One thing is done to an
endpoint at a time, and each is asked for only when it isn't there and isn't under way, so that whoever was
interrupted, anywhere, goes on by beginning again.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from isocenter.domain.rollout import EndpointState
from isocenter.domain.submission import Submission
from isocenter.errors import InputError
from isocenter.servers.vertex_client import VertexClient
from isocenter.servers.vertex_request import REQUEST, ROLLOUT, rollout_label

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import DeployedModel, Endpoint

PHASE, SINCE, AFTER = "isocenter-phase", "isocenter-since", "isocenter-after"
APPLYING, IN_FORCE, FAILED, ENDING = "applying", "in-force", "failed", "ending"
_DIGEST_CHARACTERS = 40
_LONGEST_REASON = 1_000


@dataclass
class VertexSteps:
    """What is to be done for one submission.

    Args:
        client: of the target.
        submission: what was asked for.
        drain_s: how long a version that has lost its traffic is kept for its last requests.
    """

    client: VertexClient
    submission: Submission
    drain_s: float

    def take(self) -> EndpointState:
        """Take the next step; READY when there is none left, FAILED when it can't be done.

        Raises:
            InputError: the endpoint was asked for something that this must not replace.
        """
        from google.api_core.exceptions import BadRequest, Conflict

        try:
            return self._take()
        except Conflict:
            return EndpointState.UPDATING  # somebody else was faster: look again
        except BadRequest:
            # The service does one thing to an endpoint at a time, and somebody else was faster.
            if all(operation.get("done") for operation in self.client.operations(self.name)):
                raise
            return EndpointState.UPDATING

    def _take(self) -> EndpointState:
        # In this order: what has ended by now shows in the endpoint.
        operations = self.client.operations(self.name)
        endpoint = self.client.endpoint(self.name)
        if endpoint is None:
            return self._create()
        self._refuse(endpoint.labels)
        if endpoint.labels.get(ROLLOUT) != self._label:
            newest = operations[0]["name"].rpartition("/")[2] if operations else ""
            endpoint = self._relabel(endpoint, {**self._claim(), AFTER: newest})
        if endpoint.labels.get(PHASE) == FAILED:
            return EndpointState.FAILED
        if any(not operation.get("done") for operation in operations):
            return EndpointState.UPDATING
        return self._change(endpoint, operations)

    def _change(self, endpoint: "Endpoint", operations: list[Mapping[str, Any]]) -> EndpointState:
        missing, misfits = self._missing(endpoint), self._of_other_number(endpoint)
        if (missing or misfits) and (reason := _failure(operations, endpoint.labels.get(AFTER, ""))):
            self._fail(endpoint, reason)
            return EndpointState.FAILED
        if missing:
            self._deploy(missing[0])
        elif misfits:
            self._resize(misfits[0])
        elif not self._is_in_force(endpoint):
            shifted = {"traffic_split": self.submission.request["trafficSplit"]}
            now = {PHASE: IN_FORCE, SINCE: str(int(time.time()))}
            endpoint = self._relabel(endpoint, now, **shifted)
            return self._after_shift(endpoint)
        else:
            return self._after_shift(endpoint)
        return EndpointState.UPDATING

    def _after_shift(self, endpoint: "Endpoint") -> EndpointState:
        """End the versions that get no requests any more."""
        kept = self.submission.request["trafficSplit"]
        unused = [each.id for each in endpoint.deployed_models if each.id not in kept]
        if not unused:
            return EndpointState.READY
        if time.time() >= int(endpoint.labels.get(SINCE, "0")) + self.drain_s:
            self.client.endpoints.undeploy_model(
                endpoint=self.name, deployed_model_id=unused[0], timeout=self.client.timeout_s
            )
        return EndpointState.UPDATING

    @property
    def name(self) -> str:
        """The Endpoint's full name."""
        request = self.submission.request
        return f"{request['parent']}/endpoints/{request['endpointId']}"

    @property
    def _label(self) -> str:
        return rollout_label(self.submission.run)

    @cached_property
    def _wanted(self) -> "Mapping[str, DeployedModel]":
        from google.cloud.aiplatform_v1 import DeployedModel

        bodies = [each["deployedModel"] for each in self.submission.request["variants"]]
        return {
            body["id"]: DeployedModel.from_json(json.dumps(body), ignore_unknown_fields=False)
            for body in bodies
        }

    def _claim(self) -> dict[str, str]:
        digest = self.submission.digest.partition(":")[2][:_DIGEST_CHARACTERS]
        return {ROLLOUT: self._label, REQUEST: digest, PHASE: APPLYING}

    def _refuse(self, labels: Mapping[str, str]) -> None:
        name, run = self.submission.request["endpoint"]["displayName"], self.submission.run
        if labels.get(PHASE) == ENDING:
            raise InputError(
                f"The endpoint {name} is being deleted.", hint=f"isocenter endpoint delete {name} goes on."
            )
        at = labels.get(ROLLOUT, "")
        if at == self._label and labels.get(REQUEST) != self._claim()[REQUEST]:
            raise InputError(f"The rollout {run} was applied before with another request.")
        if at > self._label:
            raise InputError(f"The rollout {run} of {name} was replaced by {at.upper()}.")

    def _create(self) -> EndpointState:
        from google.cloud.aiplatform_v1 import CreateEndpointRequest, Endpoint

        request = self.submission.request
        body = {**request["endpoint"], "labels": {**request["endpoint"]["labels"], **self._claim()}}
        asked = CreateEndpointRequest(
            parent=request["parent"],
            endpoint_id=request["endpointId"],
            endpoint=Endpoint.from_json(json.dumps(body), ignore_unknown_fields=False),
        )
        self.client.endpoints.create_endpoint(request=asked, timeout=self.client.timeout_s)
        return EndpointState.UPDATING

    def _missing(self, endpoint: "Endpoint") -> list[Mapping[str, Any]]:
        there = {each.id for each in endpoint.deployed_models}
        variants = self.submission.request["variants"]
        return [each for each in variants if each["deployedModel"]["id"] not in there]

    def _of_other_number(self, endpoint: "Endpoint") -> "list[DeployedModel]":
        """What is deployed with other bounds of its number of machines."""
        there = {each.id: each for each in endpoint.deployed_models}
        return [
            wanted
            for number, wanted in self._wanted.items()
            if number in there and _bounds(there[number]) != _bounds(wanted)
        ]

    def _deploy(self, variant: Mapping[str, Any]) -> None:
        model_name = variant["deployedModel"]["model"]
        if self.client.model(model_name) is None:
            self._upload(variant)
            return
        self.client.endpoints.deploy_model(
            endpoint=self.name,
            deployed_model=self._wanted[variant["deployedModel"]["id"]],
            timeout=self.client.timeout_s,
        )

    def _upload(self, variant: Mapping[str, Any]) -> None:
        from google.cloud.aiplatform_v1 import Model
        from google.cloud.aiplatform_v1.types import UploadModelRequest

        asked = UploadModelRequest(
            parent=self.submission.request["parent"],
            model_id=variant["modelId"],
            model=Model.from_json(json.dumps(variant["model"]), ignore_unknown_fields=False),
        )
        self.client.models.upload_model(request=asked, timeout=self.client.timeout_s)

    def _resize(self, wanted: "DeployedModel") -> None:
        paths = [
            f"dedicated_resources.{bound}_replica_count"
            for bound in ("min", "max")  # the only fields that can be changed
        ]
        self.client.endpoints.mutate_deployed_model(
            endpoint=self.name,
            deployed_model=wanted,
            update_mask={"paths": paths},
            timeout=self.client.timeout_s,
        )

    def _is_in_force(self, endpoint: "Endpoint") -> bool:
        split = {number: part for number, part in endpoint.traffic_split.items() if part}
        wanted: Mapping[str, int] = self.submission.request["trafficSplit"]
        return split == wanted and endpoint.labels.get(PHASE) == IN_FORCE

    def _fail(self, endpoint: "Endpoint", reason: str) -> None:
        self._relabel(endpoint, {PHASE: FAILED}, description=reason[:_LONGEST_REASON])

    def _relabel(self, endpoint: "Endpoint", labels: Mapping[str, str], **changes: Any) -> "Endpoint":
        return relabel(self.client, endpoint, labels, **changes)


def relabel(
    client: VertexClient, endpoint: "Endpoint", labels: Mapping[str, str], **changes: Any
) -> "Endpoint":
    """Change labels of an endpoint, and fields with them, unless it has changed since it was looked at.

    Args:
        client: of the target.
        endpoint: as it was seen.
        labels: to add; those with an empty value go.
        changes: field -> value.
    """
    from google.cloud.aiplatform_v1 import Endpoint

    kept = {key: value for key, value in {**dict(endpoint.labels), **labels}.items() if value}
    changed = Endpoint(name=endpoint.name, etag=endpoint.etag, labels=kept, **changes)
    mask = {"paths": ["labels", *changes]}
    return client.endpoints.update_endpoint(endpoint=changed, update_mask=mask, timeout=client.timeout_s)


def _bounds(model: "DeployedModel") -> tuple[int, int]:
    resources = model.dedicated_resources
    return resources.min_replica_count, resources.max_replica_count


def _failure(operations: list[Mapping[str, Any]], after: str) -> str:
    """Why the newest thing that was done to the endpoint since the rollout began failed; empty if not."""
    newest = operations[0] if operations else {}
    if "error" not in newest or newest["name"].rpartition("/")[2] == after:
        return ""
    return str(newest["error"].get("message") or "Vertex AI gave no reason.")
