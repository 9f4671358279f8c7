"""How what belongs to one endpoint is called on SageMaker.

All names begin with the deployment's, which is what the pipeline role may touch. Models and configurations
are named by what they hold: what is there is found again by its name, whoever made it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from isocenter.domain.digest import digest_bytes, digest_json
from isocenter.targets.descriptor import DeploymentDescriptor

_LONGEST = 63
_FLEET, _SPLIT, _MODEL = 12, 8, 12
_CONFIG = re.compile(rf"[0-9a-f]{{{_FLEET}}}-[0-9a-f]{{{_SPLIT}}}")
_MODEL_END = re.compile(rf"[0-9a-f]{{{_MODEL}}}")
_SPLIT_FIELDS = ("InitialVariantWeight", "InitialInstanceCount")


@dataclass(frozen=True)
class EndpointNames:
    """Names around the endpoint that we call ``name``.

    Args:
        endpoint: on SageMaker.
        stem: what its models and configurations begin with.
    """

    endpoint: str
    stem: str

    @classmethod
    def of(cls, descriptor: DeploymentDescriptor, name: str) -> "EndpointNames":
        """The names of endpoint ``name`` of a deployment."""
        longest = _LONGEST - _FLEET - _SPLIT - 2
        return cls(_shortened(descriptor.name, name, _LONGEST), _shortened(descriptor.name, name, longest))

    def model(self, request: Mapping[str, Any]) -> str:
        """Name of the model that ``request`` (without a name) makes."""
        return f"{self.stem}-{_hex(request, _MODEL)}"

    def config(self, request: Mapping[str, Any]) -> str:
        """Name of the configuration that ``request`` (without a name) makes: its machines, then its split."""
        variants = [*request["ProductionVariants"], *request.get("ShadowProductionVariants", ())]
        split = [[variant[field] for field in _SPLIT_FIELDS] for variant in variants]
        return f"{self.stem}-{_hex(_without_split(request), _FLEET)}-{_hex(split, _SPLIT)}"

    def is_model(self, name: str) -> bool:
        """Whether ``name`` is a model of this endpoint."""
        return name.startswith(f"{self.stem}-") and bool(
            _MODEL_END.fullmatch(name.removeprefix(f"{self.stem}-"))
        )

    def is_config(self, name: str) -> bool:
        """Whether ``name`` is a configuration of this endpoint."""
        return name.startswith(f"{self.stem}-") and bool(
            _CONFIG.fullmatch(name.removeprefix(f"{self.stem}-"))
        )


def same_fleet(config: str, other: str) -> bool:
    """Whether two configurations differ in the split of the traffic and counts only."""
    return config.rpartition("-")[0] == other.rpartition("-")[0]


def _without_split(request: Mapping[str, Any]) -> dict[str, Any]:
    def stripped(variants: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{k: v for k, v in variant.items() if k not in _SPLIT_FIELDS} for variant in variants]

    kinds = ("ProductionVariants", "ShadowProductionVariants")
    return {**request, **{kind: stripped(request[kind]) for kind in kinds if kind in request}}


def _hex(value: Any, characters: int) -> str:
    return digest_json(value).removeprefix("sha256:")[:characters]


def _shortened(deployment: str, name: str, longest: int) -> str:
    """Both names; where they are too long together, the end becomes a digest of them."""
    whole = f"{deployment}-{name}"
    if len(whole) <= longest:
        return whole
    end = digest_bytes(whole.encode()).removeprefix("sha256:")[:8]
    return f"{whole[: longest - len(end) - 1].rstrip('-')}-{end}"
