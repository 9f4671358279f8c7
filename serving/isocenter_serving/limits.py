"""How much one worker takes at once, so that its memory stays bounded whatever comes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from isocenter_serving.problem import busy

_MIB = 1 << 20
_RETRY_AFTER_S = 1


@dataclass(frozen=True)
class Limits:
    """Bounds of one worker process.

    Args:
        body_bytes: the largest request.
        held_bytes: of all requests' bodies that are held at once.
        json_values: most values in a JSON body, enough for an image of 1400 x 1400. While it is read, one
            body at a time, a number there takes about two hundred bytes of memory.
        images: most images in one request.
        queue_images: images that may wait to be decoded or scored, of all requests together.
        pixels: most pixels of one image.
        explanations: being made at once; each takes as much of the network as 64 images, when it is free.
        results: reports being made at once.
        pause_s: a client that sends nothing for so long, or a request's head not within it, is given up.
        body_s: a body must be whole within this time.
        deadline_s: an answer must be there so long after the body; a client may ask for less.
        connections: open at once.
    """

    body_bytes: int = 64 * _MIB
    held_bytes: int = 256 * _MIB
    json_values: int = 2_000_000
    images: int = 64
    queue_images: int = 128
    pixels: int = 64_000_000
    explanations: int = 2
    results: int = 16
    pause_s: float = 15.0
    body_s: float = 60.0
    deadline_s: float = 30.0
    connections: int = 1000


class Holdings:
    """What is held of a countable thing; never more than ``most``.

    Args:
        most: the bound.
        code: of the problem where it would be passed.
        detail: likewise, for people.
    """

    def __init__(self, most: int, code: str, detail: str) -> None:
        self.most, self.held = most, 0
        self._code, self._detail = code, detail

    def take(self, count: int) -> None:
        """Hold ``count`` more.

        Raises:
            Problem: 429; there is no room.
        """
        if self.held + count > self.most:
            raise busy(self._code, self._detail, _RETRY_AFTER_S)
        self.held += count

    def give_back(self, count: int) -> None:
        """Hold ``count`` less."""
        self.held -= count

    @contextmanager
    def holding(self, count: int) -> Iterator[None]:
        """Hold ``count`` for the length of the ``with`` block.

        Raises:
            Problem: 429; there is no room.
        """
        self.take(count)
        try:
            yield
        finally:
            self.give_back(count)
