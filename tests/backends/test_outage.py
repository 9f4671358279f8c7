"""What whoever waits is told of a service that doesn't answer, by a clock of the test's own."""

import pytest

from isocenter.backends.outage import Outage


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("isocenter.backends.outage.time", made)
    return made


def test_a_line_at_first_then_each_minute_until_the_deadline(clock: Clock) -> None:
    said: list[str] = []
    outage = Outage(said.append)
    for _ in range(60):
        assert outage.met("AWS can't be reached.")
        clock.now += 10
    assert not outage.met("AWS can't be reached."), "ten minutes are over"
    assert said[0] == "AWS can't be reached. Asking again for 10 min."
    assert said[1] == "AWS can't be reached. So it is since 60 s; given up in 9 min."
    assert len(said) == 11


def test_an_answer_is_told_once_and_ends_it(clock: Clock) -> None:
    said: list[str] = []
    outage = Outage(said.append)
    outage.ended()
    assert said == []
    outage.met("Busy.")
    clock.now += 5
    outage.ended()
    outage.ended()
    assert said == ["Busy. Asking again for 10 min.", "An answer, after 5 s."]
    clock.now += 3600
    assert outage.met("Busy."), "the next one begins anew"
