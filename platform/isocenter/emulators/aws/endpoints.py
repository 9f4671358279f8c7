"""The calls of SageMaker about models, endpoint configurations and endpoints.

All of it is kept in memory: when the emulator ends, so do the endpoints' processes.
"""

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from isocenter.clouds.offer import cloud_offer
from isocenter.emulators.aws.clients import ACCOUNT
from isocenter.emulators.aws.endpoint import Endpoint
from isocenter.emulators.aws.fleet import Fleet, ServingSurroundings
from isocenter.emulators.aws.placement import check_placement
from isocenter.emulators.aws.request_check import check_request
from isocenter.emulators.aws.service_error import ServiceError, invalid

Json = dict[str, Any]
_TAGGED = (":model/", ":endpoint-config/", ":endpoint/")
_RECORDS = {
    "model": ("ModelName", "ModelArn"),
    "endpoint-config": ("EndpointConfigName", "EndpointConfigArn"),
}
_WORDS = {"model": "model", "endpoint-config": "endpoint configuration", "endpoint": "endpoint"}


class Endpoints:
    """All endpoints of the emulated account, and what they are made of.

    Args:
        folder: for what instances work on.
        surroundings: what all fleets share.
    """

    def __init__(self, folder: Path, surroundings: ServingSurroundings) -> None:
        self._folder, self._surroundings = folder, surroundings
        self._lock = threading.RLock()
        self._records: dict[tuple[str, str, str], Json] = {}
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        self._operations: Mapping[str, Callable[[Json, str], Json]] = {
            "CreateModel": self._create_model,
            "DescribeModel": lambda request, region: self._described("model", request, region),
            "DeleteModel": lambda request, region: self._delete_record("model", request, region),
            "ListModels": lambda request, region: self._list_records("model", "Models", request, region),
            "CreateEndpointConfig": self._create_config,
            "DescribeEndpointConfig": lambda request, region: self._described(
                "endpoint-config", request, region
            ),
            "DeleteEndpointConfig": lambda request, region: self._delete_record(
                "endpoint-config", request, region
            ),
            "ListEndpointConfigs": lambda request, region: self._list_records(
                "endpoint-config", "EndpointConfigs", request, region
            ),
            "CreateEndpoint": self._create,
            "DescribeEndpoint": lambda request, region: self._endpoint(request, region).describe(),
            "UpdateEndpoint": self._update,
            "UpdateEndpointWeightsAndCapacities": self._reweigh,
            "DeleteEndpoint": self._delete,
            "ListEndpoints": self._list,
            "AddTags": self._add_tags,
            "ListTags": self._list_tags,
            "DeleteTags": self._delete_tags,
        }

    def answers(self, operation: str, request: Mapping[str, Any]) -> bool:
        """Whether this call is answered here."""
        if operation.endswith("Tags"):
            return any(kind in str(request.get("ResourceArn", "")) for kind in _TAGGED)
        return operation in self._operations

    def do(self, operation: str, request: Json, region: str) -> Json:
        """The service's answer.

        Raises:
            ServiceError: the request is refused.
        """
        check_request(operation, request)
        with self._lock:
            return self._operations[operation](request, region)

    def find(self, name: str, region: str) -> Endpoint | None:
        """The endpoint of that name."""
        return self._endpoints.get((region, name))

    def has_variant(self, resource: str, region: str) -> bool:
        """Whether there is what Application Auto Scaling calls ``endpoint/NAME/variant/NAME``."""
        parts = resource.split("/")
        found = self.find(parts[1], region) if len(parts) == 4 else None
        return found is not None and found.has_variant(parts[3])

    def names(self) -> list[str]:
        """Names of all endpoints."""
        return sorted(name for _, name in self._endpoints)

    def clear(self) -> None:
        """Forget everything; kill the processes."""
        self.close()
        with self._lock:
            self._endpoints.clear()
            self._records.clear()

    def close(self) -> None:
        """Kill the processes of all endpoints."""
        for endpoint in list(self._endpoints.values()):
            endpoint.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _create_model(self, request: Json, region: str) -> Json:
        container = request.get("PrimaryContainer") or {}
        if not request.get("ExecutionRoleArn"):
            raise invalid("ExecutionRoleArn is required for a model of a container of one's own.")
        if not container.get("Image") or not container.get("ModelDataSource"):
            raise invalid("Here PrimaryContainer needs Image and ModelDataSource.")
        placement = {"RoleArn": request["ExecutionRoleArn"], "VpcConfig": request.get("VpcConfig")}
        check_placement(placement, self._surroundings.clients, region)
        return self._keep("model", request, region)

    def _create_config(self, request: Json, region: str) -> Json:
        shadows = request.get("ShadowProductionVariants", [])
        if shadows and (len(shadows), len(request["ProductionVariants"])) != (1, 1):
            raise invalid(
                "With ShadowProductionVariants you can only specify one variant for ProductionVariants and"
                " one variant for ShadowProductionVariants."
            )
        variants = [*request["ProductionVariants"], *shadows]
        names = [variant["VariantName"] for variant in variants]
        if len(names) != len(set(names)):
            raise invalid("Variant names must be unique.")
        for variant in variants:
            self._check_variant(variant, request, region)
        return self._keep("endpoint-config", request, region)

    def _check_variant(self, variant: Json, config: Json, region: str) -> None:
        for field in ("ModelName", "InstanceType", "InitialInstanceCount"):
            if not variant.get(field):
                raise invalid(f"Variant {variant['VariantName']} needs {field}.")
        self._record("model", variant["ModelName"], region)
        machine = cloud_offer("aws").named(variant["InstanceType"])
        if config.get("KmsKeyId") and machine is not None and machine.local_storage:
            raise invalid(f"KmsKeyId can't be requested for {machine.managed}, which has local storage.")

    def _create(self, request: Json, region: str) -> Json:
        name, config = request["EndpointName"], request["EndpointConfigName"]
        known = self.find(name, region)
        if known is not None:
            raise invalid(f'Cannot create already existing endpoint "{known.arn}".')
        self._record("endpoint-config", config, region)
        endpoint = Endpoint(
            name,
            region,
            _by_key(request.get("Tags", [])),
            lambda config, counts: self._build(name, region, config, counts),
            lambda: self._forget(name, region),
        )
        self._endpoints[region, name] = endpoint
        endpoint.create(config)
        return {"EndpointArn": endpoint.arn}

    def _update(self, request: Json, region: str) -> Json:
        endpoint = self._endpoint(request, region)
        self._record("endpoint-config", request["EndpointConfigName"], region)
        excluded = {
            each["VariantPropertyType"] for each in request.get("ExcludeRetainedVariantProperties", ())
        }
        keeps = bool(request.get("RetainAllVariantProperties"))
        if excluded and not keeps:
            raise invalid("ExcludeRetainedVariantProperties needs RetainAllVariantProperties.")
        self._refuse_scaled(endpoint, request["EndpointConfigName"], region)
        endpoint.update(request["EndpointConfigName"], keeps and "DesiredInstanceCount" not in excluded)
        return {"EndpointArn": endpoint.arn}

    def _refuse_scaled(self, endpoint: Endpoint, config: str, region: str) -> None:
        """A variant that is scaled keeps its type of instance."""
        types = {
            name: {
                variant["VariantName"]: variant["InstanceType"]
                for variant in self._record("endpoint-config", name, region)["ProductionVariants"]
            }
            for name in (endpoint.config, config)
        }
        for variant, machine in types[endpoint.config].items():
            if types[config].get(variant) == machine:
                continue
            scaling = self._surroundings.clients.client("application-autoscaling", region)
            resource = f"endpoint/{endpoint.name}/variant/{variant}"
            found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])
            if found["ScalableTargets"]:
                raise invalid(
                    f"The variant(s) \"['{variant}']\" must be deregistered as scalable targets with AWS"
                    " Application Auto Scaling before they can be removed or change their instance type."
                )

    def _reweigh(self, request: Json, region: str) -> Json:
        endpoint, asked = self._endpoint(request, region), request["DesiredWeightsAndCapacities"]
        fields = ("DesiredWeight", "DesiredInstanceCount")
        weights, counts = ({v["VariantName"]: v[f] for v in asked if f in v} for f in fields)
        endpoint.reweigh(weights, counts)
        return {"EndpointArn": endpoint.arn}

    def _delete(self, request: Json, region: str) -> Json:
        self._endpoint(request, region).delete()
        return {}

    def _list(self, request: Json, region: str) -> Json:
        found = [e.summary() for (where, _), e in self._endpoints.items() if where == region]
        return _page("Endpoints", "EndpointName", found, request)

    def _build(self, name: str, region: str, config: str, counts: Mapping[str, int]) -> Fleet:
        record = self._record("endpoint-config", config, region)
        variants = [*record["ProductionVariants"], *record.get("ShadowProductionVariants", ())]
        models = {v["ModelName"]: self._record("model", v["ModelName"], region) for v in variants}
        folder = self._folder / secrets.token_hex(8)
        return Fleet(name, region, record, models, self._surroundings, folder, counts)

    def _forget(self, name: str, region: str) -> None:
        with self._lock:
            self._endpoints.pop((region, name), None)

    def _endpoint(self, request: Mapping[str, Any], region: str) -> Endpoint:
        found = self.find(request["EndpointName"], region)
        if found is None:
            raise _missing("endpoint", request["EndpointName"], region)
        return found

    def _keep(self, kind: str, request: Json, region: str) -> Json:
        name_field, arn_field = _RECORDS[kind]
        name = request[name_field]
        arn = _arn(kind, name, region)
        if (region, kind, name) in self._records:
            raise invalid(f'Cannot create already existing {_WORDS[kind]} "{arn}".')
        tags = _by_key(request.get("Tags", []))
        kept = {key: value for key, value in request.items() if key != "Tags"}
        self._records[region, kind, name] = {
            **kept,
            arn_field: arn,
            "CreationTime": time.time(),
            "Tags": tags,
        }
        return {arn_field: arn}

    def _record(self, kind: str, name: str, region: str) -> Json:
        found = self._records.get((region, kind, name))
        if found is None:
            raise _missing(kind, name, region)
        return found

    def _described(self, kind: str, request: Json, region: str) -> Json:
        found = self._record(kind, request[_RECORDS[kind][0]], region)
        return {key: value for key, value in found.items() if key != "Tags"}

    def _delete_record(self, kind: str, request: Json, region: str) -> Json:
        name = request[_RECORDS[kind][0]]
        self._record(kind, name, region)
        del self._records[region, kind, name]
        return {}

    def _list_records(self, kind: str, field: str, request: Json, region: str) -> Json:
        names = (*_RECORDS[kind], "CreationTime")
        found = [
            {name: record[name] for name in names}
            for (where, what, _), record in self._records.items()
            if (where, what) == (region, kind)
        ]
        return _page(field, names[0], found, request)

    def _add_tags(self, request: Json, region: str) -> Json:
        tags = self._tags(request)
        tags.update(_by_key(request["Tags"]))
        return {"Tags": _listed(tags)}

    def _list_tags(self, request: Json, region: str) -> Json:
        return {"Tags": _listed(self._tags(request))}

    def _delete_tags(self, request: Json, region: str) -> Json:
        tags = self._tags(request)
        for key in request["TagKeys"]:
            tags.pop(key, None)
        return {}

    def _tags(self, request: Json) -> dict[str, str]:
        _, _, _, region, _, resource = request["ResourceArn"].split(":", 5)
        kind, _, name = resource.partition("/")
        if kind == "endpoint":
            return self._endpoint({"EndpointName": name}, region).tags
        tags: dict[str, str] = self._record(kind, name, region)["Tags"]
        return tags


def _arn(kind: str, name: str, region: str) -> str:
    return f"arn:aws:sagemaker:{region}:{ACCOUNT}:{kind}/{name}"


def _missing(kind: str, name: str, region: str) -> ServiceError:
    return invalid(f'Could not find {_WORDS[kind]} "{_arn(kind, name, region)}".')


def _page(field: str, name: str, found: list[Json], request: Mapping[str, Any]) -> Json:
    found = [each for each in found if request.get("NameContains", "") in each[name]]
    found.sort(key=lambda each: each["CreationTime"], reverse=request.get("SortOrder") != "Ascending")
    begin, size = int(request.get("NextToken") or 0), request.get("MaxResults", 10)
    more = {"NextToken": str(begin + size)} if begin + size < len(found) else {}
    return {field: found[begin : begin + size], **more}


def _by_key(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
