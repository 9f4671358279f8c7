"""What a bucket's service answers to somebody that it doesn't know, or doesn't let in, is said plainly."""

import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "compilers"))
from targets import AWS, AZURE, GCP

from isocenter.errors import EnvironmentFaultError, IsocenterError, NotFoundError, PolicyError
from isocenter.home import Home
from isocenter.pipelines.records import open_records
from isocenter.pipelines.staging import upload_artifact

CLOUDS = {"aws": (AWS, "s3fs"), "azure": (AZURE, "adlfs"), "gcp": (GCP, "gcsfs")}


class Bucket(ThreadingHTTPServer):
    """Answers each request with ``status`` and ``code``, as the cloud's storage words its errors."""

    cloud, status, code = "aws", 403, "AccessDenied"

    def said(self) -> bytes:
        if self.cloud == "gcp":
            error = {"code": self.status, "message": self.code, "errors": [{"reason": self.code}]}
            return json.dumps({"error": error}).encode()
        return f"<?xml version='1.0'?><Error><Code>{self.code}</Code><Message>No.</Message></Error>".encode()


class Handler(BaseHTTPRequestHandler):
    server: Bucket
    protocol_version = "HTTP/1.1"  # S3's clients ask before they send a body

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.close_connection = True
        said = b"" if self.command == "HEAD" else self.server.said()
        self.send_response(self.server.status)
        self.send_header(
            "Content-Type", "application/json" if self.server.cloud == "gcp" else "application/xml"
        )
        self.send_header("Content-Length", str(len(said)))
        self.send_header("x-ms-error-code", self.server.code)
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_HEAD = do_PUT = do_POST = answer  # noqa: N815 - the names that http.server asks for

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with Bucket(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("cloud", "status", "code", "kind", "says"),
    [
        ("aws", 403, "AccessDenied", PolicyError, "denies it"),
        ("aws", 403, "Proxy", PolicyError, "denies it"),
        ("aws", 400, "", EnvironmentFaultError, "refuses the request"),
        ("aws", 401, "Proxy", EnvironmentFaultError, "doesn't accept the credentials"),
        ("aws", 404, "NoSuchBucket", NotFoundError, "has no such bucket"),
        ("azure", 403, "AuthorizationPermissionMismatch", PolicyError, "denies it"),
        ("azure", 401, "InvalidAuthenticationInfo", EnvironmentFaultError, "doesn't accept the credentials"),
        ("azure", 403, "AuthenticationFailed", EnvironmentFaultError, "doesn't accept the credentials"),
        ("azure", 404, "ContainerNotFound", NotFoundError, "has no such bucket"),
        ("gcp", 403, "forbidden", PolicyError, "denies it"),
        ("gcp", 401, "authError", EnvironmentFaultError, "doesn't accept the credentials"),
        ("gcp", 404, "notFound", NotFoundError, "has no such bucket"),
    ],
)
def test_an_upload_says_what_was_refused(
    bucket: Bucket,
    home: Home,
    tmp_path: Path,
    cloud: str,
    status: int,
    code: str,
    kind: type[IsocenterError],
    says: str,
) -> None:
    real, needed = CLOUDS[cloud]
    pytest.importorskip(needed, reason=f"LACKS: {needed}; pip install 'isocenter[{cloud}]'")
    bucket.cloud, bucket.status, bucket.code = cloud, status, code
    address = f"http://127.0.0.1:{bucket.server_port}" + ("/devstoreaccount1" if cloud == "azure" else "")
    descriptor = real.model_copy(update={"emulated": True, "endpoints": {f"{cloud}-storage": address}})
    folder = tmp_path / "ab12"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"x")
    records = open_records(home)
    try:
        with pytest.raises(kind) as caught:
            upload_artifact(folder, descriptor, records.trail)
        assert type(caught.value) is kind
        assert f"The storage of {descriptor.name} {says}" in caught.value.message
        assert caught.value.hint
    finally:
        records.database.close()
