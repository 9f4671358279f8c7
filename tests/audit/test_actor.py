"""Who acts."""

import os
import pwd

import pytest

from isocenter.audit import current_actor
from isocenter.errors import InputError


def test_the_variable_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_ACTOR", "  service:pacs-router ")
    assert current_actor() == "service:pacs-router"


def test_else_it_is_the_user_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISOCENTER_ACTOR", raising=False)
    monkeypatch.setenv("USER", "somebody-else")
    assert current_actor() == pwd.getpwuid(os.geteuid()).pw_name


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "x" * 129])
def test_a_name_that_could_fool_a_reader_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("ISOCENTER_ACTOR", name)
    with pytest.raises(InputError):
        current_actor()
