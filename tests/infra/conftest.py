"""Synthesized stacks, each once for the session."""

import copy
import json
import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
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


@pytest.fixture(scope="session")
def policy_scan() -> Callable[..., dict[str, Any]]:
    """``policy_scan(path, ...)``: what the real scanner says of these documents, with the pack's rules."""
    root = Path(__file__).parents[2]
    python = Path(os.environ.get("ISOCENTER_POLICY_PYTHON") or root / ".venv-policies" / "bin" / "python")
    if not python.exists():
        pytest.skip("LACKS: the policy scanner (make policy installs it), for what policy rules must catch")

    def scan(*paths: Path, rules: str = "pack") -> dict[str, Any]:
        words = [
            str(python),
            "-m",
            "isocenter_policies",
            "scan",
            *map(str, paths),
            "--json",
            "--rules",
            rules,
        ]
        done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 8), done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    return scan
