"""Whose turn it is among those that share an endpoint's requests by percents."""

import threading
from collections.abc import Mapping


class Turns:
    """nginx's smooth turns: of a hundred requests each gets its percents, and never all of them in a row."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[str, dict[str, int]] = {}

    def next(self, of: str, split: Mapping[str, int]) -> str:
        """Who gets the next request.

        Args:
            of: whose requests are shared.
            split: name -> percent; those with none get nothing.
        """
        parts = {name: part for name, part in split.items() if part}
        with self._lock:
            turns = self._turns.setdefault(of, {})
            if turns.keys() != parts.keys():
                turns.clear()
            for name, part in parts.items():
                turns[name] = turns.get(name, 0) + part
            chosen = max(turns, key=lambda name: turns[name])
            turns[chosen] -= sum(parts.values())
            return chosen
