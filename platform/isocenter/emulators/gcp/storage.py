"""Cloud Storage: the PyPI package gcp-storage-emulator on a folder, safe for several clients and a kill."""

import json
import logging
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from gcp_storage_emulator.handlers.buckets import create_bucket
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.settings import STORAGE_DIR
from gcp_storage_emulator.storage import Storage

from isocenter.storage.atomic import write_bytes


class EmulatedStorage:
    """Answers the JSON API on 127.0.0.1 until closed.

    Args:
        folder: of the buckets; an object is a file at ``<bucket>/<name>`` in :attr:`mount`.
        buckets: made if absent.
        port: 0 for a free one.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, folder: Path, buckets: tuple[str, ...], port: int = 0) -> None:
        logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
        storage = _SafeStorage(data_dir=str(folder))
        for bucket in buckets:
            if storage.get_bucket(bucket) is None:
                create_bucket(bucket, storage)
        self.mount = folder / STORAGE_DIR
        self._server = _Server(("127.0.0.1", port), partial(_Handler, storage))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    @property
    def address(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _SafeStorage(Storage):  # type: ignore[misc]
    """One operation at a time, and a list of objects that is whole after a kill."""

    def __init__(self, data_dir: str) -> None:
        self._lock = threading.RLock()
        super().__init__(data_dir=data_dir)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or not callable(found):
            return found
        lock = super().__getattribute__("_lock")

        def alone(*arguments: Any, **options: Any) -> Any:
            with lock:
                return found(*arguments, **options)

        return alone

    def _write_config_to_file(self) -> None:
        kept = ("buckets", "objects", "resumable", "bucket_iam_policies", "soft_deleted")
        body = {name: getattr(self, name) for name in kept}
        write_bytes(Path(self._data_dir) / STORAGE_DIR / ".meta", json.dumps(body).encode())


class _Handler(RequestHandler):  # type: ignore[misc]
    protocol_version = "HTTP/1.0"
    disable_nagle_algorithm = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""
