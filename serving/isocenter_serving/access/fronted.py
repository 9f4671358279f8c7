"""A gate for a container that only a cloud's own access control can reach."""

from isocenter_serving.access.base import Caller, Denied, Scope


class FrontedGate:
    """Lets all in: the service in front has checked the caller, and its network lets nobody else through.

    SageMaker, Vertex AI and Azure ML keep the caller's identity to themselves, so the caller is the service.

    Args:
        front: name of the service.
    """

    def __init__(self, front: str) -> None:
        self._caller = Caller(front, frozenset({Scope.PREDICT, Scope.EXPLAIN}), front)

    async def admit(self, authorization: str | None, scope: Scope) -> Caller:
        """The service itself."""
        if scope not in self._caller.scopes:
            raise Denied(403, "scope-not-fronted", subject=self._caller.subject)
        return self._caller
