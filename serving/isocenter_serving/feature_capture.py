"""A share of the answered images, described, goes into the spool."""

import random
from datetime import UTC, datetime
from typing import Any

from isocenter_serving.answer import Prediction
from isocenter_serving.capture import Spool
from isocenter_serving.instance import Served

_SCHEMA = 1


class FeatureCapture:
    """A hook that keeps features and scores; no pixel, no identifier.

    Args:
        spool: where they go.
        percent: of the images.
    """

    def __init__(self, spool: Spool, percent: int) -> None:
        self._spool, self._percent = spool, percent

    def examine(self, served: Served) -> None:
        """Nothing yet: the score isn't there."""

    def keep(self, served: Served) -> None:
        """See :class:`~isocenter_serving.instance.Hook`."""
        if not served.is_kept or served.features is None or not isinstance(served.outcome, Prediction):
            return
        if self._percent < 100 and random.random() * 100 >= self._percent:  # noqa: S311 - a sample
            return
        self._spool.add(_record(served, served.outcome))

    def close(self) -> None:
        """Write what is waiting."""
        self._spool.close()


def _record(served: Served, outcome: Prediction) -> dict[str, Any]:
    said = {} if served.features is None else served.features.as_json()
    return {
        "schema": _SCHEMA,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "request": served.request_id,
        "model": outcome.model.name,
        "version": outcome.model.version,
        "digest": outcome.model.digest,
        "score": float(f"{outcome.score:.6g}"),
        "decision": outcome.decision,
        "reasons": list(served.reasons),
        **said,
    }
