"""Azure Monitor's autoscale settings, as far as deployments of online endpoints have them.

They are kept and checked, and a deployment outside of its bounds is brought into them; nothing measures load.
https://learn.microsoft.com/rest/api/monitor/autoscale-settings
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from isocenter.emulators.azure.online_endpoints import OnlineEndpoints
from isocenter.emulators.azure.rest_models import MalformedError
from isocenter.emulators.azure.workspace import RefusedError
from isocenter.emulators.web_server import Answer, Request, json_answer
from isocenter.storage.atomic import write_bytes

_TARGET = re.compile(r".*/onlineEndpoints/(?P<endpoint>[^/]+)/deployments/(?P<deployment>[^/]+)", re.I)
_TRIGGER = {
    *("metricName", "metricNamespace", "metricResourceUri", "metricResourceLocation", "timeGrain"),
    *("statistic", "timeWindow", "timeAggregation", "operator", "threshold", "dimensions"),
}
_FIELDS: Mapping[str, frozenset[str]] = {
    "": frozenset(("location", "tags", "properties")),
    "properties": frozenset(
        ("enabled", "name", "targetResourceUri", "targetResourceLocation", "profiles", "notifications")
    ),
    "profile": frozenset(("name", "capacity", "rules", "fixedDate", "recurrence")),
    "capacity": frozenset(("minimum", "maximum", "default")),
    "rule": frozenset(("metricTrigger", "scaleAction")),
    "metricTrigger": frozenset(_TRIGGER),
    "scaleAction": frozenset(("direction", "type", "value", "cooldown")),
}


class AutoscaleSettings:
    """All autoscale settings of the emulated resource group.

    Args:
        path: file that they are kept in.
        endpoints: whose deployments they bound.
    """

    def __init__(self, path: Path, endpoints: OnlineEndpoints) -> None:
        self._path = path
        self._endpoints = endpoints
        self._known: dict[str, dict[str, Any]] = {}
        with suppress(OSError, ValueError):
            self._known = json.loads(path.read_bytes())

    def answer(self, request: Request, name: str) -> Answer:
        """Do what was asked of the setting ``name``.

        Raises:
            RefusedError, MalformedError: it is refused.
        """
        match request.method:
            case "GET" if name in self._known:
                return json_answer(self._known[name])
            case "PUT":
                body = _checked(request.body)
                self._bring_into(body)
                is_new = name not in self._known
                self._known[name] = {**body, "name": name, "id": request.path}
                self._save()
                return json_answer(self._known[name], 201 if is_new else 200)
            case "DELETE":
                is_there = self._known.pop(name, None) is not None
                self._save()
                return Answer(200 if is_there else 204)
        raise RefusedError(404, "ResourceNotFound", f"The autoscale setting {name} was not found.")

    def _bring_into(self, body: Mapping[str, Any]) -> None:
        target = _TARGET.fullmatch(body["properties"].get("targetResourceUri") or "")
        if target is None:
            raise RefusedError(400, "BadRequest", "targetResourceUri names no deployment.")
        capacity = body["properties"]["profiles"][0]["capacity"]
        least, most = int(capacity["minimum"]), int(capacity["maximum"])
        if not 0 < least <= int(capacity["default"]) <= most:
            raise RefusedError(400, "BadRequest", "minimum, default and maximum are not in order.")
        found = self._endpoints.deployment(target["endpoint"], target["deployment"])
        now = int((found.get("sku") or {}).get("capacity") or 1)
        if not least <= now <= most:
            within = {"sku": {"capacity": min(max(now, least), most)}}
            self._endpoints.patch_deployment(target["endpoint"], target["deployment"], within)

    def _save(self) -> None:
        write_bytes(self._path, json.dumps(self._known).encode(), mode=0o600)


def _checked(data: bytes) -> dict[str, Any]:
    try:
        body: dict[str, Any] = json.loads(data)
        _check(body, "")
        _check(body["properties"], "properties")
        if not body["properties"]["profiles"]:
            raise MalformedError("properties.profiles", "is empty")
        for profile in body["properties"]["profiles"]:
            _check(profile, "profile")
            _check(profile["capacity"], "capacity")
            for rule in profile["rules"]:
                _check(rule, "rule")
                _check(rule["metricTrigger"], "metricTrigger")
                _check(rule["scaleAction"], "scaleAction")
    except KeyError as error:
        raise MalformedError(str(error.args[0]), "is missing") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise MalformedError("", f"is not as declared: {error}") from error
    if any(not isinstance(value, str) for value in body["properties"]["profiles"][0]["capacity"].values()):
        raise MalformedError("properties.profiles[0].capacity", "holds no strings")
    return body


def _check(value: Mapping[str, Any], kind: str) -> None:
    if unknown := value.keys() - _FIELDS[kind]:
        raise MalformedError(kind, f"has no field {sorted(unknown)[0]}")
