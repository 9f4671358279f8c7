"""What the predictor says about one image."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ModelIdentity:
    """Which model answers.

    Args:
        name: the registered name; None where only the files are known.
        version: the number within the name; None likewise.
        digest: ``sha256:...`` of the bundle's files.
    """

    name: str | None
    version: int | None
    digest: str


@dataclass(frozen=True)
class Prediction:
    """A scored image.

    Args:
        score: calibrated, 0..1.
        decision: name of the class that it is called.
        threshold: the positive class is called from this score on.
        model: which model answered.
    """

    score: float
    decision: str
    threshold: float
    model: ModelIdentity

    def as_json(self) -> dict[str, Any]:
        """JSON-able fields."""
        return {
            "score": self.score,
            "decision": self.decision,
            "threshold": self.threshold,
            "model": self.model.name,
            "version": self.model.version,
            "digest": self.model.digest,
        }


@dataclass(frozen=True)
class Refusal:
    """An image that gets no score.

    Args:
        reason: code, of :class:`isocenter.imaging.RefusalReason` or ``no-finite-score``.
        message: one sentence for a person, without patient data.
    """

    reason: str
    message: str

    def as_json(self) -> dict[str, Any]:
        """JSON-able fields."""
        return {"refused": self.reason, "message": self.message}


Answer = Prediction | Refusal
