"""A bundle as it is registered: what training left and the decision of its evaluation."""

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def chain() -> ModuleType:
    """tests/evaluation/trained.py; pytest's importlib mode puts no folder on the path."""
    if "trained" not in sys.modules:
        path = Path(__file__).parent / "evaluation" / "trained.py"
        spec = importlib.util.spec_from_file_location("trained", path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["trained"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["trained"])
    return sys.modules["trained"]


@pytest.fixture(scope="session")
def trained(chain: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> object:
    """A finished training on 140 synthetic patients (``trained.Trained``)."""
    return chain.make_trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def registered(chain: ModuleType, trained: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of the evaluated bundle; not to be changed."""
    folder = tmp_path_factory.mktemp("registered")
    output = chain.evaluate(folder / "evaluation", trained, cases=0)
    return chain.assemble(folder / "bundle", trained.model_dir, output)  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
def bundle(registered: Path, tmp_path: Path) -> Path:
    """A copy of the bundle to change."""
    shutil.copytree(registered, tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture(scope="session")
def files(trained: object) -> list[Path]:
    """Some DICOM files."""
    return sorted(trained.source.glob("*.dcm"))[:40]  # type: ignore[attr-defined]
