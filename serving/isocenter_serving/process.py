"""The processes of a serving program: a master that loads the model, and workers forked from it (gunicorn).

With one thread a call, the network is loaded before the fork, and the workers share its memory: neither ONNX
Runtime nor anything else has started a thread by then.
"""

import ctypes
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from isocenter.tls import server_context
from isocenter_serving.access import open_gate
from isocenter_serving.app import create_app
from isocenter_serving.bundle_place import bundle_at_hand
from isocenter_serving.capture import Spool, SpoolBounds
from isocenter_serving.feature_capture import FeatureCapture
from isocenter_serving.input_check import InputCheck
from isocenter_serving.instance import Hook
from isocenter_serving.metrics import DIRECTORY_VARIABLE, forget_process
from isocenter_serving.reference import Reference, read_reference
from isocenter_serving.request_log import log_event, set_up_logging
from isocenter_serving.served_bundle import open_bundle
from isocenter_serving.server import BoundedWorker
from isocenter_serving.settings import ServingSettings
from isocenter_serving.sharing import Shares

if TYPE_CHECKING:
    from isocenter_serving.predictor import Predictor

_MASTER = os.getpid()
_KEEP_ALIVE_S = 75
_BACKLOG = 2048
_HUNG_S = 120
"""A worker whose event loop doesn't turn for so long is replaced."""
_PR_SET_PDEATHSIG = 1
_SPARE = 2
"""A worker that is being replaced is still there."""


class Program(BaseApplication):  # type: ignore[misc]
    """gunicorn, set up in code.

    Args:
        settings: of the program.
        app: what answers.
    """

    def __init__(self, settings: ServingSettings, app: Any) -> None:
        self.settings, self._app = settings, app
        self.tls = server_context(settings.tls) if settings.tls else None
        self.shares = Shares(settings.workers + _SPARE)
        super().__init__()

    def load_config(self) -> None:
        """See gunicorn."""
        settings = self.settings
        addresses = [f"unix:{settings.socket}"] if settings.socket else [f"{settings.host}:{settings.port}"]
        if settings.admin_port is not None:
            addresses.append(f"{settings.host}:{settings.admin_port}")
        chosen = {
            "bind": addresses,
            "workers": settings.workers,
            "worker_class": BoundedWorker,
            "preload_app": True,
            "timeout": _HUNG_S,
            "graceful_timeout": settings.grace_s,
            "keepalive": _KEEP_ALIVE_S,
            "backlog": _BACKLOG,
            "umask": 0o077,
            "control_socket_disable": True,
            "logger_class": _Logger,
            "pre_fork": lambda _, worker: self.shares.claim(),
            "post_fork": _end_with_master,
            "child_exit": lambda _, worker: self._forget(worker.pid),
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """See gunicorn."""
        return self._app

    def _forget(self, pid: int) -> None:
        forget_process(pid)
        self.shares.release(pid)


def _end_with_master(_: Any, worker: Any) -> None:
    """A master that is killed must not leave workers that answer for a model nobody watches."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != worker.ppid:
        os._exit(1)
    worker.app.shares.settle()


class _Logger(Logger):  # type: ignore[misc]
    """gunicorn's and uvicorn's messages in our log."""

    def setup(self, cfg: Any) -> None:
        """See gunicorn."""
        super().setup(cfg)
        self.error_log.handlers[:] = logging.getLogger().handlers
        self.error_log.setLevel(logging.WARNING)


def run(settings: ServingSettings) -> None:
    """Serve until SIGTERM, then until the requests under way are answered.

    Raises:
        InputError: the bundle can't be served, or the TLS files are no good.
        IntegrityError: its files are not those of the digest, or its network can't be loaded.
    """
    set_up_logging()
    folder = tempfile.mkdtemp(prefix="isocenter-serving-")
    os.environ[DIRECTORY_VARIABLE] = folder
    try:
        with bundle_at_hand(settings.bundle, settings.digest) as bundle:
            load = _loader(settings, bundle)  # first: it holds the files against their digest
            hooks = _hooks(settings, read_reference(bundle))
            app = create_app(settings, load, open_gate(settings.access), hooks)
            log_event("starting", model=settings.name, version=settings.number, workers=settings.workers)
            Program(settings, app).run()
    finally:
        if os.getpid() == _MASTER:
            shutil.rmtree(folder, ignore_errors=True)


def _hooks(settings: ServingSettings, reference: Reference) -> "Callable[[Predictor], list[Hook]]":
    """What each worker does with images besides scoring them; a spool belongs to one process."""
    keeping = settings.keeping

    def make(_: "Predictor") -> list[Hook]:
        hooks: list[Hook] = [InputCheck(reference)]
        if keeping.folder is not None and keeping.percent:
            bounds = SpoolBounds(total_bytes=keeping.limit_mib << 20)
            hooks.append(FeatureCapture(Spool(keeping.folder / "features", bounds), keeping.percent))
        return hooks

    return make


def _loader(settings: ServingSettings, bundle: Path) -> "Callable[[], Predictor]":
    """What gives a worker its model: the master's, or one of its own where calls have threads."""
    from isocenter_serving.predictor import Predictor

    def load() -> Predictor:
        return Predictor(
            bundle,
            expected_digest=settings.digest,
            name=settings.name,
            version=settings.number,
            threads=settings.threads,
        )

    if settings.threads > 1:
        open_bundle(bundle, settings.digest)
        return load
    loaded = load()
    return lambda: loaded
