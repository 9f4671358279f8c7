"""Whether this worker takes requests: after its warm-up prediction, and until it is told to end."""


class Readiness:
    """A worker's state; a worker that isn't warm yet doesn't even accept connections."""

    def __init__(self) -> None:
        self.is_warm = False
        self.is_draining = False

    @property
    def is_ready(self) -> bool:
        """Whether requests are answered."""
        return self.is_warm and not self.is_draining
