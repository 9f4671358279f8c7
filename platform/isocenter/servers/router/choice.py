"""Which version the next request goes to."""

from collections.abc import Collection, Mapping


class WeightedChoice:
    """Smooth weighted round robin: of any 100 requests in a row, each version gets exactly its percents.

    Drawing by chance would give a canary of 10 % none of the first twenty requests one time in eight.

    Args:
        weights: key -> weight.
    """

    def __init__(self, weights: Mapping[str, int]) -> None:
        self._weights = {key: weight for key, weight in weights.items() if weight > 0}
        self._credit = dict.fromkeys(self._weights, 0)

    def next(self) -> str | None:
        """The key of the next version; None if there is none."""
        if not self._weights:
            return None
        for key, weight in self._weights.items():
            self._credit[key] += weight
        chosen = max(self._credit, key=self._credit.__getitem__)
        self._credit[chosen] -= sum(self._weights.values())
        return chosen

    def other(self, than: Collection[str]) -> str | None:
        """The heaviest version that is not among ``than``; None if there is none."""
        left = [key for key in self._weights if key not in than]
        return max(left, key=self._weights.__getitem__, default=None)
