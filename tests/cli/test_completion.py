"""Completion scripts, loaded and used by the real shell."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
LACKS = "LACKS: "


def complete(script: str, words: str, folder: Path) -> list[str]:
    """What bash offers for ``words`` (the last one unfinished) once ``script`` is loaded."""
    program = folder / "isocenter"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m isocenter.cli.main "$@"\n')
    program.chmod(0o755)
    driver = (
        f'PATH="{folder}:$PATH"\n{script}\n'
        f"COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n"
        "_isocenter_completion isocenter\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", "-c", driver], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.fixture
def bash_script(isocenter_cli: Cli) -> str:
    if shutil.which("bash") is None:
        pytest.skip(f"{LACKS}bash; apt-get install bash")
    done = isocenter_cli("completion", "bash")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("words", "offers"),
    [
        ("isocenter pi", ["pipeline"]),
        ("isocenter run ''", ["cancel", "check", "list", "logs", "resume", "show"]),
        ("isocenter pipeline run --acc", ["--acceptance"]),
        ("isocenter completion z", ["zsh"]),
    ],
)
def test_bash_completes(bash_script: str, tmp_path: Path, words: str, offers: list[str]) -> None:
    assert complete(bash_script, words, tmp_path) == offers


@pytest.mark.parametrize(("shell", "mark"), [("zsh", "#compdef isocenter"), ("fish", "complete --no-files")])
def test_other_shells(isocenter_cli: Cli, shell: str, mark: str) -> None:
    done = isocenter_cli("completion", shell)
    assert mark in done.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.stdout, text=True, check=True)


def test_unknown_shell(isocenter_cli: Cli) -> None:
    assert isocenter_cli("completion", "tcsh").returncode == 2
