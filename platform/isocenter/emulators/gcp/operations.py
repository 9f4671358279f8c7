"""Vertex AI's long-running operations, kept in a file: what was begun goes on after the emulator was killed.

https://google.aip.dev/151
"""

import json
import secrets
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.emulators.gcp.service_error import ServiceError
from isocenter.storage.atomic import write_bytes


@dataclass(frozen=True)
class Work:
    """An operation that goes on.

    Args:
        name: of the operation.
        of: what it is done to.
        kind: ``deploy``, ``undeploy`` or ``mutate``.
        given: JSON-able; what is needed to go on with it.
    """

    name: str
    of: str
    kind: str
    given: Mapping[str, Any]


class Operations:
    """All operations of the emulated project.

    Args:
        path: file that they are kept in.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._known: dict[str, dict[str, Any]] = {}
        with suppress(OSError, ValueError):
            self._known = json.loads(path.read_bytes())

    def begin(self, of: str, metadata: Any, kind: str, given: Mapping[str, Any]) -> Any:
        """An operation that goes on, as it is answered.

        Args:
            of: what it is done to.
            metadata: the message of its kind.
            kind: see :class:`Work`.
            given: see :class:`Work`.
        """
        from google.protobuf.any_pb2 import Any as AnyMessage
        from google.protobuf.json_format import MessageToDict

        metadata.generic_metadata.create_time.GetCurrentTime()
        metadata.generic_metadata.update_time.GetCurrentTime()
        packed = AnyMessage()
        packed.Pack(metadata)
        name = f"{of}/operations/{10**18 + secrets.randbelow(8 * 10**18)}"
        body = {"name": name, "metadata": MessageToDict(packed)}
        with self._lock:
            self._known[name] = {"operation": body, "of": of, "kind": kind, "given": dict(given)}
            self._save()
        return self.get(name)

    def done(self, of: str, metadata: Any, response: Any) -> Any:
        """An operation that has ended already, as it is answered."""
        with self._lock:  # nobody shall see it go on
            operation = self.begin(of, metadata, "done", {})
            self.finish(operation.name, response)
            return self.get(operation.name)

    def finish(self, name: str, response: Any) -> None:
        """It has ended well."""
        from google.protobuf.any_pb2 import Any as AnyMessage
        from google.protobuf.json_format import MessageToDict

        packed = AnyMessage()
        packed.Pack(response)
        self._end(name, {"response": MessageToDict(packed)})

    def fail(self, name: str, code: int, message: str) -> None:
        """It has failed; ``code`` is gRPC's."""
        self._end(name, {"error": {"code": code, "message": message}})

    def get(self, name: str) -> Any:
        """The operation.

        Raises:
            ServiceError: there is none.
        """
        with self._lock:
            found = [body for known, body in self._known.items() if _same(known, name)]
        if not found:
            raise ServiceError(404, f"The Operation does not exist: {name}")
        return _message(found[0])

    def all(self, of: str) -> list[Any]:
        """All that was and is done to ``of``."""
        with self._lock:
            return [_message(body) for body in self._known.values() if _same(body["of"], of)]

    def going_on(self) -> list[Work]:
        """What has not ended, the oldest first."""
        with self._lock:
            return [
                Work(name, body["of"], body["kind"], body["given"])
                for name, body in self._known.items()
                if not body["operation"].get("done")
            ]

    def _end(self, name: str, how: Mapping[str, Any]) -> None:
        with self._lock:
            self._known[name]["operation"].update({**how, "done": True})
            self._save()

    def _save(self) -> None:
        write_bytes(self._path, json.dumps(self._known).encode())


def _same(one: str, other: str) -> bool:
    """Whether two names are of the same thing; the project may be given by its id or its number."""
    return one.split("/")[2:] == other.split("/")[2:]


def _message(body: Mapping[str, Any]) -> Any:
    from google.cloud.aiplatform_v1.types import endpoint_service, model_service  # noqa: F401 - parsed below
    from google.longrunning.operations_pb2 import Operation
    from google.protobuf.json_format import ParseDict

    return ParseDict(body["operation"], Operation())
