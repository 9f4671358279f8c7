"""Synthesized stacks, each once for the session."""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from infra_examples import example

from isocenter_infra.deployment import Deployment
from isocenter_infra.synthesis import Synthesis, synthesize

Document = dict[str, Any]


@cache
def _synthesized(cloud: str, stack: str) -> Synthesis:
    return synthesize(Deployment(example(cloud)), lambda sentence: None, stack=stack)


@pytest.fixture(scope="session")
def stack_of() -> Callable[..., Document]:
    """``stack_of("aws")``: a copy of the example's document."""

    def copied(cloud: str, stack: str = "main") -> Document:
        return copy.deepcopy(_synthesized(cloud, stack).document)

    return copied
