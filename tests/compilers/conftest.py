"""One request, and a target in each cloud, for every test of the compilers."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from targets import REQUEST, SPEC, TARGETS

from isocenter.compilers.base import CompiledPipeline, load_compiler
from isocenter.compilers.spec import PipelineSpec
from isocenter.pipelines.training_request import TrainingRequest


@pytest.fixture
def request_() -> TrainingRequest:
    return REQUEST


@pytest.fixture
def spec() -> PipelineSpec:
    return SPEC


@pytest.fixture(params=sorted(TARGETS))
def compiled(request: pytest.FixtureRequest) -> CompiledPipeline:
    """The pipeline in each format in turn."""
    return load_compiler(request.param)(SPEC, TARGETS[request.param])
