"""Where an endpoint is, from what SageMaker tells of it and from the tags that were left on it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isocenter.domain.rollout import Endpoint, EndpointState, ServedVariant
from isocenter.domain.run import RunId
from isocenter.servers.sagemaker_names import same_fleet
from isocenter.servers.sagemaker_request import ROLLOUT_TAG

REQUEST_TAG = "isocenter-request"
"""Digest of the request of the newest rollout that the endpoint was asked for."""
CONFIG_TAG = "isocenter-config"
"""The configuration that it asks for."""
TRIED_TAG = "isocenter-tried"
"""The newest rollout that SageMaker has taken: it goes back to the old configuration without a word."""
_AT_WORK = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
_STATES = {
    **dict.fromkeys(_AT_WORK, EndpointState.UPDATING),
    "InService": EndpointState.READY,
    "OutOfService": EndpointState.STOPPED,
    "Failed": EndpointState.FAILED,
    "UpdateRollbackFailed": EndpointState.FAILED,
}
_VARIANT_STATES = {"Deleting": "draining"}


@dataclass(frozen=True)
class Found:
    """One endpoint as it was found.

    Args:
        description: of DescribeEndpoint.
        tags: key -> value.
    """

    description: Mapping[str, Any]
    tags: Mapping[str, str]

    @property
    def arn(self) -> str:
        """Its ARN."""
        return str(self.description["EndpointArn"])

    @property
    def status(self) -> str:
        """SageMaker's word."""
        return str(self.description["EndpointStatus"])

    @property
    def config(self) -> str:
        """The configuration that answers."""
        return str(self.description.get("EndpointConfigName", ""))

    @property
    def pending(self) -> str:
        """The configuration that is being brought into force; empty if none is."""
        return str(self.description.get("PendingDeploymentSummary", {}).get("EndpointConfigName", ""))

    @property
    def rollout(self) -> str:
        """The newest rollout that it was asked for; empty where somebody else made it."""
        return self.tags.get(ROLLOUT_TAG, "")

    @property
    def is_tried(self) -> bool:
        """Whether SageMaker has taken that rollout."""
        return bool(self.rollout) and self.tags.get(TRIED_TAG) == self.rollout

    @property
    def is_at_work(self) -> bool:
        """Whether it can't be changed now."""
        return self.status in _AT_WORK

    @property
    def variants(self) -> list[Mapping[str, Any]]:
        """Those that answer."""
        return list(self.description.get("ProductionVariants", ()))

    def has_fleet(self, config: str) -> bool:
        """Whether the machines and models of ``config`` answer, with whatever weights."""
        return self.status == "InService" and same_fleet(self.config, config)

    def has_split(self, shares: list[Mapping[str, Any]]) -> bool:
        """Whether weights and counts are as in a request of UpdateEndpointWeightsAndCapacities."""
        now = {each["VariantName"]: each for each in self.variants}
        return all(
            share["VariantName"] in now and _is_like(now[share["VariantName"]], share) for share in shares
        )

    def state(self) -> EndpointState:
        """In our words."""
        state = _STATES.get(self.status, EndpointState.UNKNOWN)
        asked = self.tags.get(CONFIG_TAG, self.config)
        if state is EndpointState.READY and not same_fleet(self.config, asked):
            return EndpointState.FAILED if self.is_tried else EndpointState.UPDATING
        return state


def endpoint_of(
    name: str,
    found: Found,
    url: str,
    versions: Callable[[str], Mapping[str, tuple[str, str]]],
    reason: str = "",
    state: EndpointState | None = None,
) -> Endpoint:
    """The endpoint in our words.

    Args:
        name: ours.
        found: SageMaker's.
        url: where it answers.
        versions: variant -> reference and digest, of a configuration.
        reason: why it failed or waits.
        state: where it is known better than from ``found``.
    """
    return Endpoint(
        name=name,
        state=state or found.state(),
        rollout=RunId(found.rollout),
        url=url,
        variants=tuple(_served(found, versions(found.config))),
        reason=reason,
    )


def _served(found: Found, versions: Mapping[str, tuple[str, str]]) -> Iterator[ServedVariant]:
    total = sum(float(each.get("CurrentWeight", 0)) for each in found.variants) or 1.0
    shadows = found.description.get("ShadowProductionVariants", ())
    for each, is_shadow in [*((v, False) for v in found.variants), *((v, True) for v in shadows)]:
        reference, digest = versions.get(each["VariantName"], (each["VariantName"], ""))
        weight = 0 if is_shadow else round(100 * float(each.get("CurrentWeight", 0)) / total)
        count = int(each.get("CurrentInstanceCount", 0))
        yield ServedVariant(reference, digest, weight, is_shadow, _word(found, each, count), count)


def _word(found: Found, variant: Mapping[str, Any], count: int) -> str:
    if found.status == "Failed":
        return "failed"
    statuses = [each["Status"] for each in variant.get("VariantStatus", ())]
    if statuses:
        return _VARIANT_STATES.get(statuses[0], "ready" if count else "starting")
    return "ready" if count else "starting"


def _is_like(now: Mapping[str, Any], share: Mapping[str, Any]) -> bool:
    wanted = {"Weight": share["DesiredWeight"]}
    if "DesiredInstanceCount" in share:
        wanted["InstanceCount"] = share["DesiredInstanceCount"]
    return all(
        now.get(f"{kind}{what}") == value for kind in ("Current", "Desired") for what, value in wanted.items()
    )
