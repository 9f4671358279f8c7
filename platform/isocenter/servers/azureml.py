"""Endpoints on Azure ML: each version a managed deployment, shifted by the endpoint's traffic."""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from isocenter.backends.azureml_faults import explained
from isocenter.backends.job_log import reason_in
from isocenter.backends.place import described
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
from isocenter.errors import IsocenterError
from isocenter.home import Home
from isocenter.servers.azureml_autoscaling import API as AUTOSCALING_API
from isocenter.servers.azureml_autoscaling import setting_path
from isocenter.servers.azureml_client import AzureMLClient
from isocenter.servers.azureml_figures import Figures
from isocenter.servers.azureml_request import DIGEST, REFERENCE, endpoint_name, endpoint_request
from isocenter.servers.azureml_steps import (
    FAILED,
    GONE_WRONG,
    IN_FORCE,
    PHASE,
    ROLLOUT,
    SINCE,
    AzureMLSteps,
    Resource,
    state_of,
)
from isocenter.servers.base import Capability, refuse_unsupported

_TAIL = 10_000
"""Lines of a log that Azure ML is asked for; it has no way to ask for those before."""
_STATES = {"Succeeded": "ready", "Deleting": "draining", "Failed": "failed", "Canceled": "failed"}


class AzureMLServer:
    """The server of targets on Azure.

    Args:
        home: the store; nothing is kept there.
        settings: ``descriptor``; beside it ``timeout_s`` (of one request, default 60), ``log_poll_s``
            (between looks at a log that is followed, default 5), ``drain_s`` (how long a version is kept
            after it has lost its traffic, default 60). Those of the descriptor's settings that matter:
            ``subscription``, ``resource_group``, ``datastores``, ``identity_ids`` (by role: ``serving``),
            ``images``, ``autoscale`` (``metric``, ``out_above``, ``in_below``).
    """

    name: ClassVar[str] = "azureml"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({*Capability} - {Capability.COMPARISON})

    def __init__(self, home: Home, settings: Mapping[str, Any]) -> None:
        self._descriptor = described(settings, self.name)
        emulated = self._descriptor.emulated
        self._client = AzureMLClient(self._descriptor, float(settings.get("timeout_s", 60)))
        self._poll_s = float(settings.get("log_poll_s", 0.1 if emulated else 5))
        self._drain_s = float(settings.get("drain_s", 0 if emulated else 60))

    def plan(self, rollout: Rollout) -> Submission:
        """Endpoint, environment, models and deployments, as Azure's REST reference writes them."""
        refuse_unsupported(rollout, self.name, self.capabilities)
        return Submission(self.name, rollout.id, endpoint_request(rollout, self._descriptor))

    def apply(self, submission: Submission) -> Endpoint:
        """See :class:`.AzureMLSteps`."""
        name = submission.request["endpoint"]["tags"]["isocenter-endpoint"]
        with self._explained("change the endpoint"):
            steps = AzureMLSteps(
                self._client, submission, self._drain_s, lambda deployment: self._reason(name, deployment)
            )
            state = steps.take()
            found = self._client.get(steps.path)
            if found is None:
                return Endpoint(name, EndpointState.UPDATING, submission.run)
            return self._endpoint(name, found, state)

    def describe(self, name: str) -> Endpoint | None:
        """What Azure ML says of it."""
        try:
            with self._explained("look at the endpoint"):
                found = self._client.get(self._path(name))
                return None if found is None else self._endpoint(name, found, None)
        except IsocenterError as error:
            return Endpoint(name, EndpointState.UNKNOWN, RunId(""), reason=error.message)

    def observe(self, name: str) -> Mapping[str, Observation]:
        """Counts and latencies of Azure Monitor; abstentions out of the containers' log."""
        with self._explained("read the endpoint's figures"):
            endpoint = self._client.get(self._path(name))
            if endpoint is None or SINCE not in endpoint["tags"]:
                return {}
            since = int(endpoint["tags"][SINCE])
            figures = Figures(self._client, self._path(name), since)
            responses, p99_s = figures.responses(), figures.p99_s()
            return {
                each["tags"][REFERENCE]: self._observation(
                    name, each["name"], since, responses.get(each["name"], {}), p99_s.get(each["name"])
                )
                for each in self._deployments(name)
            }

    def logs(self, name: str, reference: str | None = None, *, follow: bool = False) -> Iterator[str]:
        """What the containers wrote last; Azure ML keeps no more than a tail of it at hand."""
        with self._explained("read the log"):
            found = [
                each["name"]
                for each in self._deployments(name)
                if reference in (None, each["tags"].get(REFERENCE))
            ]
        for deployment in found if not follow else found[:-1]:
            yield from self._lines(name, deployment)
        if follow and found:
            yield from self._follow(name, found[-1])

    def delete(self, name: str) -> None:
        """Ask Azure ML to end the endpoint with all of its deployments; returns at once."""
        with self._explained("delete the endpoint"):
            found = self._client.get(self._path(name))
            if found is not None and state_of(found) != "Deleting":
                for each in self._deployments(name):
                    self._client.delete(setting_path(each["id"]), AUTOSCALING_API)
                self._client.delete(self._path(name))

    def _explained(self, what: str) -> Any:
        return explained(what, self._descriptor.name)

    def _path(self, name: str) -> str:
        return f"onlineEndpoints/{endpoint_name(name, self._descriptor)}"

    def _deployments(self, name: str) -> list[Resource]:
        return self._client.all(f"{self._path(name)}/deployments")

    def _endpoint(self, name: str, found: Resource, state: EndpointState | None) -> Endpoint:
        """As it is now; ``state`` None: what its tags and deployments say."""
        deployments, properties = self._deployments(name), found["properties"]
        state = state or _state(found, deployments)
        return Endpoint(
            name=name,
            state=state,
            rollout=RunId(found["tags"].get(ROLLOUT, "")),
            url=properties.get("scoringUri") or "",
            variants=tuple(_served(found, each) for each in deployments),
            reason=_why(found) if state is EndpointState.FAILED else "",
        )

    def _reason(self, name: str, deployment: str) -> str:
        """Why a deployment failed: the container's last words."""
        said = f"Azure ML could not make the deployment {deployment} ready."
        try:
            last = reason_in("\n".join(self._lines(name, deployment)))
        except IsocenterError:
            return said
        return f"{said} {last}".strip()

    def _lines(self, name: str, deployment: str) -> list[str]:
        asked = {"containerType": "InferenceServer", "tail": _TAIL}
        with self._explained("read the log"):
            found = self._client.post(f"{self._path(name)}/deployments/{deployment}/getLogs", asked)
        return str((found or {}).get("content") or "").splitlines()

    def _follow(self, name: str, deployment: str) -> Iterator[str]:
        seen: list[str] = []
        while True:
            is_last = self.describe(name) is None
            lines = self._lines(name, deployment)
            yield from _new_lines(seen, lines)
            seen = lines or seen
            if is_last:
                return
            time.sleep(self._poll_s)

    def _observation(
        self, name: str, deployment: str, since: int, statuses: Mapping[int, int], p99_s: float | None
    ) -> Observation:
        requests = sum(count for status, count in statuses.items() if not is_refusal(status))
        return Observation(
            requests=requests,
            errors=sum(count for status, count in statuses.items() if status >= 500 or not status),
            abstained=self._abstained(name, deployment, since, requests) if requests else 0,
            p99_s=p99_s,
        )

    def _abstained(self, name: str, deployment: str, since: int, requests: int) -> int:
        """Requests without a decision: as many as the log says, or where its tail is short, that share."""
        lines = self._lines(name, deployment)
        said = [line for line in map(_request_line, lines) if line and line["at"] >= since]
        abstained = sum(1 for line in said if line["abstained"])
        if len(lines) < _TAIL or not said:
            return abstained
        return round(requests * abstained / len(said))


def _state(found: Resource, deployments: list[Resource]) -> EndpointState:
    phase = found["tags"].get(PHASE)
    if phase == FAILED or state_of(found) in GONE_WRONG:
        return EndpointState.FAILED
    properties = found["properties"]
    wanted = {
        n for each in ("traffic", "mirrorTraffic") for n, p in (properties.get(each) or {}).items() if p
    }
    is_settled = state_of(found) == "Succeeded" and phase == IN_FORCE
    is_alone = {each["name"] for each in deployments if state_of(each) == "Succeeded"} == wanted
    settled = is_settled and is_alone and len(deployments) == len(wanted)
    return EndpointState.READY if settled else EndpointState.UPDATING


def _why(found: Resource) -> str:
    return str(found["properties"].get("description") or "Azure ML says nothing.")


def _served(found: Resource, each: Resource) -> ServedVariant:
    properties, name = found["properties"], each["name"]
    return ServedVariant(
        reference=each["tags"].get(REFERENCE, ""),
        digest=each["tags"].get(DIGEST, ""),
        weight=int((properties.get("traffic") or {}).get(name, 0)),
        shadow=bool((properties.get("mirrorTraffic") or {}).get(name, 0)),
        state=_STATES.get(state_of(each), "starting"),
        instances=int((each.get("sku") or {}).get("capacity") or 1),
    )


def _request_line(line: str) -> dict[str, float] | None:
    """When a request was answered, and on how many of its images without a decision; None for other lines."""
    try:
        found = json.loads(line)
        if found["message"] != "request":
            return None
        at = datetime.fromisoformat(found["at"]).timestamp()
        return {"at": at, "abstained": float(found.get("abstained", 0))}
    except (ValueError, KeyError, TypeError):
        return None


def _new_lines(seen: list[str], lines: list[str]) -> list[str]:
    """Those of ``lines`` that come after ``seen``: a tail whose begin may have gone."""
    for begin in range(len(seen)):
        if lines[: len(seen) - begin] == seen[begin:]:
            return lines[len(seen) - begin :]
    return lines
