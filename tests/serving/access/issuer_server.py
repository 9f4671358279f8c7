"""A real HTTP server in the place of an identity provider."""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm


class SigningKey:
    """A key with its id and its public half."""

    def __init__(self, key_id: str, algorithm: str = "RS256", bits: int = 2048) -> None:
        self.key_id, self.algorithm = key_id, algorithm
        named = {"kid": key_id, "use": "sig", "alg": algorithm}
        if algorithm.startswith("RS"):
            self.secret: Any = rsa.generate_private_key(65537, bits)
            self.public = RSAAlgorithm.to_jwk(self.secret.public_key(), as_dict=True) | named
        else:
            self.secret = ec.generate_private_key(ec.SECP256R1())
            self.public = ECAlgorithm.to_jwk(self.secret.public_key(), as_dict=True) | named

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A token; ``header`` adds to or replaces the header's fields."""
        fields = {"kid": self.key_id, **header}
        return jwt.encode(dict(claims), self.secret, algorithm=self.algorithm, headers=fields)


class IssuerServer:
    """Serves the OpenID configuration and the keys; counts how often the keys are asked for."""

    def __init__(self) -> None:
        self.keys: list[Mapping[str, Any]] = []
        self.fetches = 0
        self.status = 200
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.body: bytes | None = None
        self.named_issuer: str | None = None
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = owner.answer(self.path)
                self.send_response(status)
                self.send_header("Location", f"{owner.url}/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        if path.endswith("openid-configuration"):
            found = {"issuer": self.named_issuer or self.url, "jwks_uri": f"{self.url}/keys"}
            return 200, json.dumps(found).encode()
        if path != "/keys":
            return 404, b""
        self.fetches += 1
        self.may_answer.wait(60)
        return self.status, self.body if self.body is not None else json.dumps({"keys": self.keys}).encode()

    def close(self) -> None:
        """Refuse connections from now on."""
        self._server.shutdown()
        self._server.server_close()
