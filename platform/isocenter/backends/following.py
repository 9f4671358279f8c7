"""The lines of a job's log as they come, also across faults of the service."""

from collections.abc import Callable, Iterator

from isocenter.errors import TransientFaultError

# What one look at a log finds: a line, None where the service answered, or why it could not be asked.
Look = str | None | TransientFaultError


class Following(Iterator[str]):
    """Lines of a log that is followed. A fault is raised, and the next line may be asked for after it: who
    reads decides how long to go on (:class:`~isocenter.backends.patient.PatientBackend`).

    Args:
        looks: what the backend finds; it waits between its looks.
    """

    def __init__(self, looks: Iterator[Look]) -> None:
        self._looks = looks
        self.answered: Callable[[], None] = lambda: None

    def __next__(self) -> str:
        """The next line.

        Raises:
            TransientFaultError: the service can't be asked now.
        """
        while True:
            look = next(self._looks)
            if isinstance(look, TransientFaultError):
                raise look
            self.answered()
            if look is not None:
                return look
