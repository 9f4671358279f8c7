"""Endpoints on Vertex AI: each version a DeployedModel of its own, shifted by the traffic split."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from isocenter.backends.job_log import reason_in
from isocenter.backends.place import described
from isocenter.backends.vertex_faults import explained
from isocenter.backends.vertex_log import ContainerLog
from isocenter.backends.vertex_request import location_of, project_of
from isocenter.domain.rollout import (
    Endpoint,
    EndpointState,
    Observation,
    Rollout,
    ServedVariant,
    is_refusal,
)
from isocenter.domain.run import RunId
from isocenter.domain.submission import Submission
from isocenter.errors import InputError, IsocenterError
from isocenter.home import Home
from isocenter.servers.base import Capability, refuse_unsupported
from isocenter.servers.vertex_client import VertexClient
from isocenter.servers.vertex_figures import Figures
from isocenter.servers.vertex_request import DEPLOYED, ENDPOINT, ROLLOUT, endpoint_id, endpoint_request
from isocenter.servers.vertex_steps import ENDING, FAILED, IN_FORCE, PHASE, SINCE, VertexSteps, relabel

if TYPE_CHECKING:
    from google.cloud import aiplatform_v1 as vertex

_REASON_ENTRIES = 50
_MOST_ABSTENTIONS = 100_000
_NOT_SAID = "Vertex AI says nothing."


class VertexServer:
    """The server of targets on Google Cloud.

    Args:
        home: the store; nothing is kept there.
        settings: ``descriptor``; beside it ``timeout_s`` (of one request, default 60), ``poll_s`` (between
            looks at what is waited for, default 5), ``drain_s`` (how long a version is kept after it has lost
            its traffic, default 60). Those of the descriptor's settings that matter: ``project``, ``images``,
            ``endpoint_consumers`` (projects that may connect to a private endpoint; default the target's).
    """

    name: ClassVar[str] = "vertex"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {*Capability} - {Capability.COMPARISON, Capability.SHADOW}
    )

    def __init__(self, home: Home, settings: Mapping[str, Any]) -> None:
        self._descriptor = described(settings, self.name)
        emulated = self._descriptor.emulated
        timeout_s = float(settings.get("timeout_s", 60))
        self._poll_s = float(settings.get("poll_s", 0.1 if emulated else 5))
        self._client = VertexClient(self._descriptor, timeout_s, self._poll_s)
        self._drain_s = float(settings.get("drain_s", 0 if emulated else 60))

    def plan(self, rollout: Rollout) -> Submission:
        """Models, Endpoint and DeployedModels, as the service's REST reference writes them."""
        _refuse_shadow(rollout)
        refuse_unsupported(rollout, self.name, self.capabilities)
        return Submission(self.name, rollout.id, endpoint_request(rollout, self._descriptor))

    def apply(self, submission: Submission) -> Endpoint:
        """See :class:`.VertexSteps`."""
        with self._explained("change the endpoint"):
            steps = VertexSteps(self._client, submission, self._drain_s)
            state = steps.take()
            name = submission.request["endpoint"]["displayName"]
            found = self._client.endpoint(steps.name)
            if found is None:
                return Endpoint(name, EndpointState.UPDATING, submission.run)
            return self._endpoint(name, found, state)

    def describe(self, name: str) -> Endpoint | None:
        """What Vertex AI says of it."""
        try:
            with self._explained("look at the endpoint"):
                found = self._client.endpoint(self._full(name))
                return None if found is None else self._endpoint(name, found, _state(found))
        except IsocenterError as error:
            return Endpoint(name, EndpointState.UNKNOWN, RunId(""), reason=error.message)

    def observe(self, name: str) -> Mapping[str, Observation]:
        """Counts and latencies of Cloud Monitoring; abstentions out of the containers' log."""
        with self._explained("read the endpoint's figures"):
            endpoint = self._client.endpoint(self._full(name))
            if endpoint is None or SINCE not in endpoint.labels:
                return {}
            figures = Figures(
                self._client.session,
                self._address("gcp-monitoring", "https://monitoring.googleapis.com"),
                project_of(self._descriptor),
                endpoint_id(name, self._descriptor),
                int(endpoint.labels[SINCE]),
                self._client.timeout_s,
            )
            responses, p99_s = figures.responses(), figures.p99_s()
        return {
            _reference(each): self._observation(
                name, each.id, int(endpoint.labels[SINCE]), responses.get(each.id, {}), p99_s.get(each.id)
            )
            for each in endpoint.deployed_models
        }

    def logs(self, name: str, reference: str | None = None, *, follow: bool = False) -> Iterator[str]:
        """Standard output and error of the containers, from Cloud Logging; also of those that failed."""
        with self._explained("look at the endpoint"):
            models = self._models(name)
        numbers = [model.labels[DEPLOYED] for model in models if reference in (None, _reference(model))]
        if not numbers:
            return
        if follow:
            looks = self._log(name).follow(lambda: self.describe(name) is None)
            yield from (look for look in looks if isinstance(look, str))  # a fault passes: it looks again
            return
        for number in numbers:
            yield from self._log(name, number).lines()

    def delete(self, name: str) -> None:
        """Take the versions away, then the endpoint, then its models; returns when that is done."""
        with self._explained("delete the endpoint"):
            if endpoint := self._client.endpoint(self._full(name)):
                self._end(endpoint)
            for model in self._models(name):
                self._client.models.delete_model(name=model.name, timeout=self._client.timeout_s)

    def _explained(self, what: str) -> Any:
        return explained(what, self._descriptor.name)

    def _full(self, name: str) -> str:
        return f"{location_of(self._descriptor)}/endpoints/{endpoint_id(name, self._descriptor)}"

    def _address(self, service: str, usual: str) -> str:
        endpoints = self._descriptor.endpoints
        emulated = endpoints.get("gcp", "") if self._descriptor.emulated else ""
        return endpoints.get(service) or emulated or usual

    def _endpoint(self, name: str, found: "vertex.Endpoint", state: EndpointState) -> Endpoint:
        return Endpoint(
            name=name,
            state=state,
            rollout=RunId(found.labels.get(ROLLOUT, "").upper()),
            url=self._url(found),
            variants=tuple(_served(found, each) for each in found.deployed_models),
            reason=self._reason(name, found) if state is EndpointState.FAILED else "",
        )

    def _url(self, found: "vertex.Endpoint") -> str:
        """A private endpoint's address is the network's own forwarding rule: the descriptor names it."""
        own = self._descriptor.endpoints.get("gcp-predictions", "")
        dedicated = f"https://{found.dedicated_endpoint_dns}" if found.dedicated_endpoint_dns else ""
        address = own or (self._client.address if self._descriptor.emulated else dedicated)
        return f"{address or self._client.address}/v1/{self._full_of(found)}:predict"

    def _full_of(self, found: "vertex.Endpoint") -> str:
        return f"{location_of(self._descriptor)}/endpoints/{found.name.rpartition('/')[2]}"

    def _reason(self, name: str, found: "vertex.Endpoint") -> str:
        """The service's words, and the last of the container's: of the version that isn't behind it."""
        there = {each.id for each in found.deployed_models}
        said = found.description or _NOT_SAID
        try:
            newest = sorted(self._models(name), key=lambda each: each.create_time, reverse=True)
            missing = [each.labels[DEPLOYED] for each in newest if each.labels[DEPLOYED] not in there]
            last = self._log(name, missing[0]).last_lines(_REASON_ENTRIES) if missing else []
        except IsocenterError:
            return said
        return " ".join(part for part in (said, reason_in("\n".join(last))) if part)

    def _models(self, name: str) -> "list[vertex.Model]":
        return self._client.models_labelled(
            location_of(self._descriptor), ENDPOINT, endpoint_id(name, self._descriptor)
        )

    def _log(self, name: str, number: str = "", *terms: str) -> ContainerLog:
        whose = [f'labels.deployed_model_id="{number}"'] if number else []
        return ContainerLog(
            self._client.session,
            self._address("gcp-logging", "https://logging.googleapis.com"),
            project_of(self._descriptor),
            (
                'resource.type="aiplatform.googleapis.com/Endpoint"',
                f'resource.labels.endpoint_id="{endpoint_id(name, self._descriptor)}"',
                *whose,
                *terms,
            ),
            self._descriptor.name,
            self._poll_s,
            0.0,
            self._client.timeout_s,
        )

    def _observation(
        self, name: str, number: str, since: int, statuses: Mapping[int, int], p99_s: float | None
    ) -> Observation:
        return Observation(
            requests=sum(count for status, count in statuses.items() if not is_refusal(status)),
            errors=sum(count for status, count in statuses.items() if status >= 500 or not status),
            abstained=self._abstained(name, number, since) if statuses else 0,
            p99_s=p99_s,
        )

    def _abstained(self, name: str, number: str, since: int) -> int:
        """Requests on which the model gave no decision; the container logs how many of its images."""
        begun = f'timestamp>="{datetime.fromtimestamp(since, UTC).isoformat()}"'
        entries = self._log(name, number, "jsonPayload.abstained>0", begun).lines()
        return sum(1 for _ in islice(entries, _MOST_ABSTENTIONS))

    def _end(self, endpoint: "vertex.Endpoint") -> None:
        from google.api_core.exceptions import NotFound

        client = self._client
        if endpoint.labels.get(PHASE) != ENDING:
            endpoint = relabel(client, endpoint, {PHASE: ENDING}, traffic_split={})
        for operation in client.operations(endpoint.name):
            if not operation.get("done"):
                client.wait(operation["name"])
        found = client.endpoint(endpoint.name) or endpoint
        try:
            for each in found.deployed_models:
                begun = client.endpoints.undeploy_model(
                    endpoint=endpoint.name, deployed_model_id=each.id, timeout=client.timeout_s
                )
                client.wait(begun.operation.name)
            gone = client.endpoints.delete_endpoint(name=endpoint.name, timeout=client.timeout_s)
            client.wait(gone.operation.name)
        except NotFound:
            return  # somebody else was faster


def _refuse_shadow(rollout: Rollout) -> None:
    if any(variant.shadow for variant in rollout.variants):
        raise InputError(
            f"The rollout of {rollout.endpoint!r} asks for a shadow; Vertex AI sends no copies of requests.",
            hint="Compare on a target that does (local, azureml), or begin with a small part: --canary 1.",
        )


def _state(found: "vertex.Endpoint") -> EndpointState:
    phase = found.labels.get(PHASE, "")
    if phase == FAILED:
        return EndpointState.FAILED
    answering = {number for number, part in found.traffic_split.items() if part}
    settled = phase == IN_FORCE and {each.id for each in found.deployed_models} == answering
    return EndpointState.READY if settled else EndpointState.UPDATING


def _served(found: "vertex.Endpoint", each: "vertex.DeployedModel") -> ServedVariant:
    weight = int(found.traffic_split.get(each.id, 0))
    waits = "draining" if found.labels.get(PHASE) in (IN_FORCE, ENDING) else "ready"
    resources = each.dedicated_resources
    return ServedVariant(
        reference=_reference(each),
        digest=each.display_name.partition("@")[2],
        weight=weight,
        shadow=False,
        state="ready" if weight else waits,
        instances=each.status.available_replica_count or resources.min_replica_count,
    )


def _reference(named: "vertex.DeployedModel | vertex.Model") -> str:
    return str(named.display_name).partition("@")[0]
