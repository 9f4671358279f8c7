"""Calls about endpoints: what isn't there is None, and what is there already is not made again."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from isocenter.backends.aws_calls import error_code, error_message
from isocenter.errors import TransientFaultError
from isocenter.servers.sagemaker_names import EndpointNames

_MISSING = ("Could not find", "not found", "does not exist")
_KNOWN = ("Cannot create already existing", "already exist")
_AT_WORK = ("in-progress", "in progress")
_AT_WORK_S = 30.0
"""A change takes minutes, and nothing can be done to the endpoint meanwhile."""


class SageMakerCalls:
    """SageMaker's client, for endpoints. To be called under :func:`.aws_calls.asking`.

    Args:
        client: boto3's.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._configs: dict[str, Mapping[str, Any]] = {}
        self._models: dict[str, Mapping[str, Any]] = {}

    def endpoint(self, name: str) -> Mapping[str, Any] | None:
        """As DescribeEndpoint tells."""
        found: Mapping[str, Any] | None = _if_there(self._client.describe_endpoint, EndpointName=name)
        return found

    def tags(self, arn: str) -> dict[str, str]:
        """Key -> value; none where the endpoint has just gone."""
        pages = self._client.get_paginator("list_tags").paginate(ResourceArn=arn)
        found = _if_there(lambda: [tag for page in pages for tag in page["Tags"]])
        return {tag["Key"]: tag["Value"] for tag in found or ()}

    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """AddTags: new values take the place of old ones."""
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        self._client.add_tags(ResourceArn=arn, Tags=listed)

    def config(self, name: str) -> Mapping[str, Any]:
        """As DescribeEndpointConfig tells; empty if it isn't there. Its name says what it holds."""
        if name not in self._configs:
            found = _if_there(self._client.describe_endpoint_config, EndpointConfigName=name)
            if found is None:
                return {}
            self._configs[name] = found
        return self._configs[name]

    def environment(self, model: str) -> Mapping[str, str]:
        """A model's variables; empty if it isn't there."""
        if model not in self._models:
            found = _if_there(self._client.describe_model, ModelName=model)
            if found is None:
                return {}
            self._models[model] = found["PrimaryContainer"].get("Environment", {})
        return self._models[model]

    def make_records(self, request: Mapping[str, Any]) -> None:
        """CreateModel and CreateEndpointConfig; of equal content under the same names, so once is enough."""
        for model in request["CreateModel"]:
            _unless_known(self._client.create_model, model)
        _unless_known(self._client.create_endpoint_config, request["CreateEndpointConfig"])

    def create(self, request: Mapping[str, Any]) -> None:
        """CreateEndpoint."""
        _unless_known(self._client.create_endpoint, request)

    def update(self, request: Mapping[str, Any]) -> None:
        """UpdateEndpoint.

        Raises:
            TransientFaultError: another change goes on.
        """
        _unless_busy(self._client.update_endpoint, request)

    def shift(self, request: Mapping[str, Any]) -> None:
        """UpdateEndpointWeightsAndCapacities.

        Raises:
            TransientFaultError: another change goes on.
        """
        _unless_busy(self._client.update_endpoint_weights_and_capacities, request)

    def delete(self, name: str) -> None:
        """DeleteEndpoint; requests under way are answered.

        Raises:
            TransientFaultError: another change goes on.
        """
        _unless_busy(lambda **given: _if_there(self._client.delete_endpoint, **given), {"EndpointName": name})

    def forget_records(self, names: EndpointNames, kept: str = "") -> None:
        """Delete the endpoint's configurations but ``kept``, and the models that ``kept`` doesn't name."""
        old = [name for name in self._listed("endpoint_configs", names) if name != kept]
        if kept and not old:
            return
        for name in old:
            _if_there(self._client.delete_endpoint_config, EndpointConfigName=name)
        used = set(models_of(self.config(kept)).values()) if kept else set()
        for name in self._listed("models", names):
            if name not in used:
                _if_there(self._client.delete_model, ModelName=name)

    def _listed(self, kind: str, names: EndpointNames) -> Iterator[str]:
        field, name, is_ours = {
            "models": ("Models", "ModelName", names.is_model),
            "endpoint_configs": ("EndpointConfigs", "EndpointConfigName", names.is_config),
        }[kind]
        pages = self._client.get_paginator(f"list_{kind}").paginate(NameContains=names.stem)
        found = [each[name] for page in pages for each in page[field]]
        return (each for each in found if is_ours(each))


def models_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Variant -> model of a configuration."""
    variants = [*config.get("ProductionVariants", ()), *config.get("ShadowProductionVariants", ())]
    return {each["VariantName"]: each["ModelName"] for each in variants}


def _if_there(call: Callable[..., Any], **given: Any) -> Any:
    """The answer; None where what is asked about isn't there."""
    from botocore.exceptions import ClientError

    try:
        return call(**given)
    except ClientError as error:
        if _says(error, _MISSING) or error_code(error) == "ResourceNotFound":
            return None
        raise


def _unless_known(call: Callable[..., Any], request: Mapping[str, Any]) -> None:
    from botocore.exceptions import ClientError

    try:
        call(**request)
    except ClientError as error:
        if not _says(error, _KNOWN):
            raise


def _unless_busy(call: Callable[..., Any], request: Mapping[str, Any]) -> None:
    from botocore.exceptions import ClientError

    try:
        call(**request)
    except ClientError as error:
        if _says(error, _AT_WORK):
            raise TransientFaultError(
                "SageMaker is still at work on the endpoint.", retry_after_s=_AT_WORK_S
            ) from error
        raise


def _says(error: Any, words: tuple[str, ...]) -> bool:
    return error_code(error) in ("ValidationException", "ResourceInUse", "ResourceNotFound") and any(
        word in error_message(error) for word in words
    )
