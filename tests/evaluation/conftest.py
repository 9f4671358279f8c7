"""One trained model for all tests of evaluation and serving; making it takes some seconds."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _load() -> ModuleType:
    """The module ``trained`` beside this file; pytest's importlib mode puts no folder on the path."""
    if "trained" not in sys.modules:
        path = Path(__file__).with_name("trained.py")
        spec = importlib.util.spec_from_file_location("trained", path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["trained"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["trained"])
    return sys.modules["trained"]


@pytest.fixture(scope="session")
def chain() -> ModuleType:
    """The functions of trained.py."""
    return _load()


@pytest.fixture(scope="session")
def trained(chain: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> object:
    """A finished training on 140 synthetic patients (``trained.Trained``)."""
    return chain.make_trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def evaluated(chain: ModuleType, trained: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output directory of its evaluation."""
    path: Path = chain.evaluate(tmp_path_factory.mktemp("evaluated"), trained)
    return path
