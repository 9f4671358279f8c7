"""Synthesized stacks, each once for the session."""

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from isocenter.targets.settings import DeploymentSettings
from isocenter.targets.settings_file import find_settings, read_settings
from isocenter_infra.deployment import Deployment
from isocenter_infra.synthesis import Synthesis, synthesize

EXAMPLES = Path(__file__).parents[2] / "deployments"
Document = dict[str, Any]


def example(cloud: str) -> DeploymentSettings:
    """The example deployment on ``cloud``."""
    return read_settings(find_settings(EXAMPLES, cloud=cloud))


@cache
def _synthesized(cloud: str, stack: str) -> Synthesis:
    return synthesize(Deployment(example(cloud)), lambda sentence: None, stack=stack)


@pytest.fixture(scope="session")
def stack_of() -> Callable[..., Document]:
    """``stack_of("aws")``: a copy of the example's document."""

    def copied(cloud: str, stack: str = "main") -> Document:
        return copy.deepcopy(_synthesized(cloud, stack).document)

    return copied
