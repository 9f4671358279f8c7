"""The cluster's objects: kept as JSON files, so that they outlive the server, and watched."""

import copy
import json
import threading
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str, str]  # kind, namespace, name
_REMEMBERED_EVENTS = 2000


@dataclass(frozen=True)
class Change:
    """One change, as a watcher is told of it."""

    version: int
    type: str
    object: Object


def now() -> str:
    """The time as Kubernetes writes it, in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Objects:
    """All objects of the cluster. ``lock`` makes several changes one.

    Args:
        folder: keeps them; what is there is read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._objects: dict[Key, Object] = {}
        self._changes: deque[Change] = deque(maxlen=_REMEMBERED_EVENTS)
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        for path in sorted(folder.glob("*/*/*.json")):
            thing = json.loads(path.read_bytes())
            self._objects[_key(thing)] = thing
        versions = [int(thing["metadata"]["resourceVersion"]) for thing in self._objects.values()]
        self.version = max(versions, default=0)

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """A copy of the object; None if there is none."""
        with self.lock:
            found = self._objects.get((kind, namespace, name))
            return copy.deepcopy(found)

    def list(self, kind: str, namespace: str = "") -> list[Object]:
        """Copies of the objects of a kind, by name; of all namespaces if none is named."""
        with self.lock:
            keys = sorted(key for key in self._objects if key[0] == kind and namespace in ("", key[1]))
            return [copy.deepcopy(self._objects[key]) for key in keys]

    def add(self, thing: Object) -> Object:
        """Keep a new object, with the metadata that the server gives it."""
        with self.lock:
            metadata = thing["metadata"]
            metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now(), "generation": 1}
            return self._keep(thing, "ADDED")

    def update(self, thing: Object) -> Object:
        """Keep a changed object; nothing happens where nothing has changed."""
        with self.lock:
            known = self._objects.get(_key(thing))
            if known is None or known == thing:
                return copy.deepcopy(thing)
            if known.get("spec") != thing.get("spec"):
                thing["metadata"]["generation"] = known["metadata"].get("generation", 1) + 1
            return self._keep(thing, "MODIFIED")

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Forget an object, then those that it owned."""
        with self.lock:
            gone = self._objects.pop((kind, namespace, name), None)
            if gone is None:
                return
            self._path(gone).unlink(missing_ok=True)
            self._tell("DELETED", gone)
            uid = gone["metadata"]["uid"]
            for thing in list(self._objects.values()):
                owners = thing["metadata"].get("ownerReferences") or ()
                if owners and all(owner["uid"] == uid for owner in owners) and thing["kind"] != "Pod":
                    self.remove(*_key(thing))

    def watch(self, kind: str, namespace: str, since: int, seconds: float) -> Iterator[Change]:
        """The changes after version ``since``, as they come, for so many seconds."""
        deadline = datetime.now(UTC).timestamp() + seconds
        while (left := deadline - datetime.now(UTC).timestamp()) > 0:
            with self.changed:
                found = [change for change in self._changes if _is_news(change, kind, namespace, since)]
                if not found:
                    self.changed.wait(min(left, 1.0))
                    continue
            for change in found:
                since = change.version
                yield change

    def _keep(self, thing: Object, what: str) -> Object:
        self.version += 1
        thing["metadata"]["resourceVersion"] = str(self.version)
        self._objects[_key(thing)] = copy.deepcopy(thing)
        path = self._path(thing)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(thing), encoding="utf-8")
        temporary.replace(path)
        self._tell(what, thing)
        return copy.deepcopy(thing)

    def _tell(self, what: str, thing: Object) -> None:
        version = self.version if what != "DELETED" else self.version + 1
        self.version = version
        self._changes.append(Change(version, what, copy.deepcopy(thing)))
        self.changed.notify_all()

    def _path(self, thing: Object) -> Path:
        kind, namespace, name = _key(thing)
        return self._folder / kind / (namespace or "_") / f"{name}.json"


def _key(thing: Mapping[str, Any]) -> Key:
    metadata = thing["metadata"]
    return thing["kind"], metadata.get("namespace", ""), metadata["name"]


def _is_news(change: Change, kind: str, namespace: str, since: int) -> bool:
    thing = change.object
    in_scope = namespace in ("", thing["metadata"].get("namespace", ""))
    return change.version > since and thing["kind"] == kind and in_scope
