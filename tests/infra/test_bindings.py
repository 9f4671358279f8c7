"""Cut bindings: the same bytes as whole ones, made once, and a way back where they can't be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isocenter.errors import EnvironmentFaultError
from isocenter_infra.bindings.assembly import cut_assembly
from isocenter_infra.bindings.cut_cache import cache_folder, cut_tarball, full_tarball
from isocenter_infra.bindings.node import find_node
from isocenter_infra.bindings.submodules import used_submodules

ROOT = Path(__file__).parents[2]


def synth(outdir: Path, cloud: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "isocenter_infra", "synth", "--cloud", cloud, "--json"]
    return subprocess.run(
        [*command, "--outdir", str(outdir), *options],
        cwd=ROOT,
        env=os.environ | {"ISOCENTER_HOME": str(outdir / "store")} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("cloud", ["aws", "gcp", "azure", "onprem"])
def test_cut_bindings_give_the_same_bytes_as_whole_ones(tmp_path: Path, cloud: str) -> None:
    texts = []
    for number, options in enumerate([[], ["--whole-bindings"], []]):
        done = synth(tmp_path / str(number), cloud, *options)
        assert done.returncode == 0, done.stderr
        texts.append(Path(json.loads(done.stdout)["path"]).read_bytes())
    assert texts[0] == texts[1] == texts[2]
    assert str(tmp_path).encode() not in texts[0], "a path of this machine is in the document"
    assert str(ROOT).encode() not in texts[0]


def test_a_list_of_submodules_is_cut_once() -> None:
    said: list[str] = []
    names = used_submodules([ROOT / "infra/isocenter_infra/aws/keys.py"])["aws"]
    cut_tarball("aws", names, said.append).unlink()
    said.clear()
    path = cut_tarball("aws", names, said.append)
    assert cut_tarball("aws", names, said.append) == path
    assert len(said) == 1
    assert path.is_relative_to(cache_folder())
    assert path.stat().st_size < full_tarball("aws").stat().st_size / 100
    path.unlink()


def test_bindings_that_cant_be_cut_are_loaded_whole_with_a_notice(tmp_path: Path) -> None:
    """A read-only environment, as a container has it: the cache can't be written."""
    broken = tmp_path / "sitecustomize.py"
    broken.write_text(
        "import isocenter_infra.bindings.cut_cache as cache\n"
        "def refuse(*_): raise ValueError('the package lacks its assembly or index')\n"
        "cache.cut_assembly = refuse\n"
        "cache._FORMAT = 'test'\n"
    )
    done = synth(tmp_path / "out", "onprem", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "loading them whole" in done.stderr
    assert done.stdout.count("digest") == 1
    assert json.loads(done.stdout)["digest"] == json.loads(synth(tmp_path / "two", "onprem").stdout)["digest"]


def test_an_unknown_submodule_or_a_strange_package_is_refused() -> None:
    tarball = full_tarball("helm").read_bytes()
    assert len(cut_assembly(tarball, ["provider"])) < len(tarball)
    with pytest.raises(ValueError, match="no submodule nonsense"):
        cut_assembly(tarball, ["nonsense"])
    assert cut_assembly(tarball, ["provider"]) == cut_assembly(tarball, ["provider"])


def test_node_comes_with_the_bindings_or_from_the_user(tmp_path: Path) -> None:
    assert find_node({"JSII_NODE": "/some/node"}) == "/some/node"
    version = subprocess.run([find_node({}), "--version"], capture_output=True, text=True, check=True).stdout
    assert int(version.removeprefix("v").split(".")[0]) >= 22


def test_without_bindings_the_error_says_how_to_get_them(tmp_path: Path) -> None:
    """As on a machine where another cloud's bindings were installed."""
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text("import sys\nsys.modules['cdktn_provider_google'] = None\n")
    done = synth(tmp_path / "out", "gcp", PYTHONPATH=str(tmp_path))
    assert done.returncode == EnvironmentFaultError.exit_code, done.stderr + done.stdout
    assert "make synth CLOUD=gcp" in done.stdout + done.stderr
