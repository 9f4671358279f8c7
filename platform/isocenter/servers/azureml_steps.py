"""The next step of an endpoint on Azure ML toward what was asked for.

The endpoint itself is the record: its tags say which rollout it is at, and how far. One thing is done to an
endpoint at a time, and each is asked for only when it isn't there and isn't under way, so that whoever was
interrupted, anywhere, goes on by beginning again.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from isocenter.domain.rollout import EndpointState
from isocenter.domain.submission import Submission
from isocenter.errors import InputError
from isocenter.servers.azureml_autoscaling import API, bounds_of, setting_path
from isocenter.servers.azureml_client import AzureMLClient

ROLLOUT, REQUEST, PHASE, SINCE = (
    *("isocenter-rollout", "isocenter-request", "isocenter-phase", "isocenter-since"),
)
APPLYING, IN_FORCE, FAILED = "applying", "in-force", "failed"
GONE_WRONG = ("Failed", "Canceled")
_SETTLED = "Succeeded"
_LONGEST_REASON = 1_000
Resource = Mapping[str, Any]


@dataclass
class AzureMLSteps:
    """What is to be done for one submission.

    Args:
        client: of the target.
        submission: what was asked for.
        drain_s: how long a version that has lost its traffic is kept for its last requests.
        reason_of: says why a deployment, by its name, failed.
    """

    client: AzureMLClient
    submission: Submission
    drain_s: float
    reason_of: Callable[[str], str]

    @property
    def path(self) -> str:
        """Of the endpoint in its workspace."""
        return f"onlineEndpoints/{self.submission.request['name']}"

    def take(self) -> EndpointState:
        """Take the next step; READY when there is none left, FAILED when it can't be done.

        Raises:
            InputError: the endpoint was asked for something that this must not replace.
        """
        from azure.core.exceptions import HttpResponseError

        try:
            return self._take()
        except HttpResponseError as error:
            if error.status_code != 409:
                raise
            return EndpointState.UPDATING  # somebody else was faster: look again

    def _take(self) -> EndpointState:
        deployments = self.client.all(f"{self.path}/deployments")
        endpoint = self.client.get(self.path)
        if endpoint is None:
            self._put({"tags": self._claim(), "traffic": {}, "mirrorTraffic": {}})
            return EndpointState.UPDATING
        self._refuse(endpoint)
        if state_of(endpoint) != _SETTLED:
            return EndpointState.FAILED if state_of(endpoint) in GONE_WRONG else EndpointState.UPDATING
        if endpoint["tags"].get(ROLLOUT) != self.submission.run:
            self._put({**_traffic(endpoint), "tags": self._claim()})
            return EndpointState.UPDATING
        if endpoint["tags"].get(PHASE) == FAILED:
            return EndpointState.FAILED
        if any(state_of(each) not in (_SETTLED, *GONE_WRONG) for each in deployments):
            return EndpointState.UPDATING
        return self._change(endpoint, {each["name"]: each for each in deployments})

    def _change(self, endpoint: Resource, there: Mapping[str, Resource]) -> EndpointState:
        wanted = {each["name"]: each for each in self.submission.request["variants"]}
        broken = [name for name, each in there.items() if name in wanted and state_of(each) in GONE_WRONG]
        if broken and there[broken[0]]["tags"].get(ROLLOUT) == self.submission.run:
            reason = self.reason_of(broken[0])[:_LONGEST_REASON]
            tags = {**endpoint["tags"], PHASE: FAILED}
            self._put({**_traffic(endpoint), "tags": tags, "description": reason})
            return EndpointState.UPDATING
        if broken:  # of an earlier rollout
            self.client.delete(f"{self.path}/deployments/{broken[0]}")
        elif missing := [each for name, each in wanted.items() if name not in there]:
            self._deploy(missing[0])
        elif not self._is_in_force(endpoint) and self._bound_all(there, wanted):
            pass
        elif misfits := [each for name, each in wanted.items() if not _fits(there[name], each)]:
            number = {"sku": {"capacity": misfits[0]["deployment"]["sku"]["capacity"]}}
            self.client.patch(f"{self.path}/deployments/{misfits[0]['name']}", number)
        elif not self._is_in_force(endpoint):
            request = self.submission.request
            shifted = {name: request[name] for name in ("traffic", "mirrorTraffic")}
            now = {**endpoint["tags"], PHASE: IN_FORCE, SINCE: str(int(time.time()))}
            self._put({**shifted, "tags": now})
        elif unused := [name for name in there if name not in wanted]:
            if time.time() >= int(endpoint["tags"].get(SINCE, "0")) + self.drain_s:
                self._bound(there[unused[0]], None)
                self.client.delete(f"{self.path}/deployments/{unused[0]}")
        else:
            return EndpointState.READY
        return EndpointState.UPDATING

    def _bound_all(self, there: Mapping[str, Resource], wanted: Mapping[str, Resource]) -> bool:
        """Bound all deployments that stay; whether there was anything to do."""
        changed = [self._bound(there[name], each["autoscaling"]) for name, each in wanted.items()]
        return any(changed)

    def _bound(self, deployment: Resource, setting: Resource | None) -> bool:
        """Give Azure Monitor the bounds of a deployment's number, or take them; whether they differed."""
        path = setting_path(deployment["id"])
        if bounds_of(self.client.get(path, API)) == bounds_of(setting):
            return False
        if setting is None:
            self.client.delete(path, API)
        else:
            self.client.put(path, setting, API)
        return True

    def _claim(self) -> dict[str, str]:
        tags = self.submission.request["endpoint"]["tags"]
        return {**tags, ROLLOUT: self.submission.run, REQUEST: self.submission.digest, PHASE: APPLYING}

    def _refuse(self, endpoint: Resource) -> None:
        name, run = self.submission.request["endpoint"]["tags"]["isocenter-endpoint"], self.submission.run
        if state_of(endpoint) == "Deleting":
            raise InputError(f"The endpoint {name} is being deleted.", hint="Try again when it is gone.")
        tags = endpoint["tags"]
        if tags.get(ROLLOUT) == run and tags.get(REQUEST) != self.submission.digest:
            raise InputError(f"The rollout {run} was applied before with another request.")
        if tags.get(ROLLOUT, "") > run:
            raise InputError(f"The rollout {run} of {name} was replaced by {tags[ROLLOUT]}.")

    def _put(self, changes: Mapping[str, Any]) -> None:
        """The endpoint with other tags, traffic or description: Azure takes it as a whole."""
        body = self.submission.request["endpoint"]
        properties = {name: value for name, value in changes.items() if name != "tags"}
        whole = {**body, "tags": changes["tags"], "properties": {**body["properties"], **properties}}
        self.client.put(self.path, whole)

    def _deploy(self, variant: Mapping[str, Any]) -> None:
        environment, model = self.submission.request["environment"], variant["model"]
        for kind, asset in (("environments", environment), ("models", model)):
            path = f"{kind}/{asset['name']}/versions/{asset['version']}"
            if self.client.get(path) is None:
                self.client.put(path, {"properties": asset["properties"]})
        body = variant["deployment"]
        tags = {**body["tags"], ROLLOUT: self.submission.run}
        self.client.put(f"{self.path}/deployments/{variant['name']}", {**body, "tags": tags})

    def _is_in_force(self, endpoint: Resource) -> bool:
        wanted = {name: self.submission.request[name] for name in ("traffic", "mirrorTraffic")}
        return _traffic(endpoint) == wanted and endpoint["tags"].get(PHASE) == IN_FORCE


def state_of(resource: Resource) -> str:
    """Azure's word for how far a resource is."""
    return str(resource["properties"].get("provisioningState", ""))


def _traffic(endpoint: Resource) -> dict[str, dict[str, int]]:
    properties = endpoint["properties"]
    return {
        name: {key: value for key, value in (properties.get(name) or {}).items() if value}
        for name in ("traffic", "mirrorTraffic")
    }


def _fits(deployment: Resource, wanted: Mapping[str, Any]) -> bool:
    """Whether a deployment has as many instances as it may."""
    number = int((deployment.get("sku") or {}).get("capacity") or 1)
    fixed = int(wanted["deployment"]["sku"]["capacity"])
    least, most = bounds_of(wanted["autoscaling"]) or (fixed, fixed)
    return least <= number <= most
