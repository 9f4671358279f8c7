"""URIs as directories of this machine: inputs come before the program starts, outputs go when it has ended.

Checkpoints go after each save and come at the start. An object store has no rename, so each checkpoint is a
folder of its own, named by its content, and ``latest.json``, written last, says which one counts and what it
holds: a job that is killed while it copies leaves the checkpoint before. Beside a model, ``<URI>.complete``,
written last, holds the digest and the list of its files.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from isocenter.domain.digest import canonical_json, digest_bytes, digest_file, list_tree
from isocenter.errors import InputError, IntegrityError, TransientFaultError
from isocenter_training.contract.archive import unpack_archive
from isocenter_training.contract.base import Remote, RunContext
from isocenter_training.contract.scratch import scratch_folder
from isocenter_training.contract.storage import Place, files_under

_LATEST = "latest.json"
_MARK = ".complete"


@contextmanager
def at_hand(context: RunContext) -> Iterator[RunContext]:
    """Bring what lies elsewhere here for the length of the ``with`` block.

    Where the block ends without an error, rank 0 copies model and output to their URIs. Nothing is left on
    this machine.

    Yields:
        The context, whose directories are filled.

    Raises:
        InputError: there is nothing at an input's URI.
        EnvironmentFaultError: the storage can't be reached or used.
        IntegrityError: a file leads out of its folder, or a checkpoint is damaged.
    """
    remote = context.remote
    if not remote:
        yield context
        return
    with scratch_folder(remote.scratch) as alone:
        with alone:
            for channel, uri in remote.inputs.items():
                _fetch(Place(uri, mounted=True), remote.scratch / "input" / channel)
            if context.rank == 0:
                _make_outputs(remote)
        yield replace(context, on_checkpoint=_uploader(context))
        if context.rank == 0:
            for kind in ("output", "model"):
                if kind in remote.outputs:
                    _upload(remote.scratch / kind, remote.outputs[kind])


def _fetch(place: Place, folder: Path) -> None:
    """Copy a folder here, unless another process of this job has: whole or not at all."""
    found = place.list()
    if not found:
        raise InputError(f"There is nothing at {place.uri}.")
    listing = folder.with_name(folder.name + ".json")
    if listing.is_file() and json.loads(listing.read_bytes()) == found:
        return
    listing.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in found:
        place.get(name, folder / name)
    unpack_archive(folder)
    listing.write_text(json.dumps(found))


def _make_outputs(remote: Remote) -> None:
    for kind in remote.outputs:
        shutil.rmtree(remote.scratch / kind, ignore_errors=True)
        (remote.scratch / kind).mkdir(parents=True)
    if "checkpoints" in remote.outputs:
        Checkpoints(Place(remote.outputs["checkpoints"]), remote.scratch / "checkpoints").fetch()


def _uploader(context: RunContext) -> Callable[[], None] | None:
    """What copies a checkpoint to safety. Training goes on where that fails: the next one may succeed."""
    if context.rank != 0 or "checkpoints" not in context.remote.outputs:
        return None
    checkpoints = Checkpoints(Place(context.remote.outputs["checkpoints"]), context.checkpoint_dir)

    def upload() -> None:
        try:
            checkpoints.upload()
        except TransientFaultError as error:
            print(f"A checkpoint was not copied: {error.message}", file=sys.stderr, flush=True)

    return upload


def _upload(folder: Path, uri: str) -> None:
    place = Place(uri)
    for name, path in files_under(folder):
        place.put(path, name)
    if not uri.startswith("file://"):
        rows = list_tree(folder)
        mark = {"digest": digest_bytes(canonical_json(rows)), "files": rows}
        parent, _, name = uri.rpartition("/")
        Place(parent).write(name + _MARK, json.dumps(mark).encode())


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of a run.

    Args:
        place: where they are kept.
        folder: the newest one, here.
    """

    place: Place
    folder: Path

    def upload(self) -> None:
        """Copy what is in ``folder``; the one before is kept until the new one counts."""
        before = self._latest()
        rows: list[list[Any]] = [
            [name, path.stat().st_size, digest_file(path)] for name, path in files_under(self.folder)
        ]
        latest = {"folder": hashlib.sha256(canonical_json(rows)).hexdigest()[:16], "files": rows}
        if latest == before:
            return
        for name, _, _ in rows:
            self.place.put(self.folder / name, f"{latest['folder']}/{name}")
        self.place.write(_LATEST, json.dumps(latest).encode())
        if before is not None and before["folder"] != latest["folder"]:
            self.place.remove(before["folder"])

    def fetch(self) -> None:
        """Copy the newest one here; nothing where there is none.

        Raises:
            IntegrityError: it is not what its list says.
        """
        latest = self._latest()
        if latest is None:
            return
        for name, _, digest in latest["files"]:
            path = self.folder / name
            if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
                raise IntegrityError(f"The checkpoint at {self.place.uri} leads out of its folder.")
            self.place.get(f"{latest['folder']}/{name}", path)
            if digest_file(path) != digest:
                raise IntegrityError(f"The checkpoint at {self.place.uri} is not what its list says.")

    def _latest(self) -> dict[str, Any] | None:
        data = self.place.read(_LATEST)
        if data is None:
            return None
        try:
            latest: dict[str, Any] = json.loads(data)
            if not str(latest["folder"]).isalnum() or not all(len(row) == 3 for row in latest["files"]):
                raise ValueError("malformed")
        except (ValueError, TypeError, KeyError) as error:
            raise IntegrityError(f"{_LATEST} at {self.place.uri} can't be read.") from error
        return latest
