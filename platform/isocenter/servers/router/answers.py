"""The scores in an answer, whichever of the serving app's contracts it follows."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_ABSTAINED = "abstained"


@dataclass(frozen=True)
class Scored:
    """What an answer says of one image; ``score`` is None where it has none."""

    score: float | None
    decision: str

    @property
    def abstained(self) -> bool:
        """Whether there is no decision."""
        return self.decision == _ABSTAINED


def scores_in(body: bytes) -> Sequence[Scored]:
    """What the answer ``body`` says of each image, in its order; nothing if it is no such answer."""
    try:
        return tuple(_scored(json.loads(body)))
    except (ValueError, RecursionError):
        return ()


def _scored(value: Any) -> Iterator[Scored]:
    if isinstance(value, list):
        for item in value:
            yield from _scored(item)
    elif isinstance(value, dict):
        if "outputs" in value:
            yield from _tensors(value["outputs"])
        elif "predictions" in value:
            yield from _scored(value["predictions"])
        elif "score" in value or "decision" in value:
            yield _one(value.get("score"), value.get("decision"))


def _tensors(outputs: Any) -> Iterator[Scored]:
    """The Open Inference Protocol's form: one tensor of scores, one of decisions."""
    found = {o["name"]: o.get("data", []) for o in outputs if isinstance(o, dict) and "name" in o}
    scores = found.get("score", [])
    decisions = found.get("decision", [None] * len(scores))
    for score, decision in zip(scores, decisions, strict=False):
        yield _one(score, decision)


def _one(score: Any, decision: Any) -> Scored:
    number = float(score) if isinstance(score, int | float) else None
    return Scored(number, decision if isinstance(decision, str) else "")
