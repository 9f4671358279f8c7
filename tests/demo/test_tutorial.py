"""Every command in the tutorial exists: each verb, and each of its options, is in the verb's own help."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from isocenter.cli.main import root

REPOSITORY = Path(__file__).parents[2]
_BLOCK = re.compile(r"```console\n(.*?)```", re.S)


def _commands(document: str) -> Iterator[list[str]]:
    """The words of each isocenter command in the document's console blocks, comments left out."""
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    for block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == "isocenter":
                yield words[1:]


COMMANDS = [*_commands("docs/tutorial.md"), *_commands("README.md")]


def _verb(words: list[str]) -> tuple[click.Command, list[str], list[str]]:
    """The command that ``words`` call, its path, and the words after it."""
    command: click.Command = root
    path: list[str] = []
    rest = list(words)
    while isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1] if path else "isocenter")
        found = command.get_command(context, rest[0]) if rest else None
        assert found is not None, f"no verb {' '.join([*path, *rest[:1]])!r}"
        path.append(rest.pop(0))
        command = found
    return command, path, rest


def test_the_tutorial_has_commands() -> None:
    assert len(COMMANDS) > 15
    assert {words[0] for words in COMMANDS} >= {"demo", "data", "pipeline", "model", "predict", "audit"}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_verb_and_its_options_are_in_its_help(words: list[str]) -> None:
    _, path, rest = _verb(words)
    shown = CliRunner().invoke(root, [*path, "--help"])
    assert shown.exit_code == 0, shown.output
    known = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", shown.output))
    used = {word.split("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    assert used <= known, f"{' '.join(path)} has no {used - known}"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_words_are_accepted_by_the_verb(words: list[str], tmp_path: Path) -> None:
    """Parsed as a user types them, in a folder where the files that the tutorial made exist."""
    command, path, rest = _verb(words)
    for word in rest:
        if re.search(r"\.(dcm|csv|yaml)$", word):
            (tmp_path / word).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / word).touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        command.make_context(path[-1], rest)
