"""Which versions requests go to, as the supervisor wrote it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROUTES_FILE = "routes.json"


@dataclass(frozen=True)
class Route:
    """One version.

    Args:
        key: of its processes.
        reference: ``name:number``.
        socket: path of the Unix socket that it answers at.
        weight: percent of the requests that it answers.
        shadow: it gets copies only.
    """

    key: str
    reference: str
    socket: str
    weight: int
    shadow: bool


@dataclass(frozen=True)
class Routes:
    """A split of the traffic.

    Args:
        rollout: id of the rollout that asked for it; empty before the first.
        routes: the versions, the stable one first.
    """

    rollout: str = ""
    routes: tuple[Route, ...] = ()

    @property
    def weights(self) -> Mapping[str, int]:
        """Key -> weight of the versions that answer."""
        return {route.key: route.weight for route in self.routes if not route.shadow}

    def compared_with(self, key: str) -> tuple[str, ...]:
        """Keys of the versions that get a copy of a request that ``key`` answered.

        Each shadow does. What a newer version answered, the stable one scores as well: by that they are
        compared on the same requests.
        """
        shadows = tuple(route.key for route in self.routes if route.shadow)
        stable = next((route.key for route in self.routes if not route.shadow), key)
        return shadows if key == stable else (*shadows, stable)

    def as_json(self) -> dict[str, Any]:
        """JSON-able fields."""
        return {"rollout": self.rollout, "routes": [vars(route) for route in self.routes]}


def read_routes(directory: Path) -> Routes:
    """The routes in ``directory``; none before the first are written."""
    try:
        found = json.loads((directory / ROUTES_FILE).read_bytes())
    except FileNotFoundError:
        return Routes()
    return Routes(found["rollout"], tuple(Route(**route) for route in found["routes"]))
