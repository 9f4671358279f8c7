"""Bearer tokens against a real issuer over HTTP."""

import asyncio
import base64
import hashlib
import hmac
import importlib.util
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from isocenter_serving.access import AccessSettings, Caller, Denied, Gate, Scope, open_gate

AUDIENCE = "isocenter:endpoint:chest"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _load() -> ModuleType:
    name = "issuer_server"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("issuer_server.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


provider = _load()
KEY = provider.SigningKey("first")
OTHER = provider.SigningKey("other")


@pytest.fixture
def issuer() -> Iterator[Any]:
    server = provider.IssuerServer()
    server.keys = [KEY.public]
    yield server
    server.close()


@pytest.fixture
def gate(issuer: Any) -> Gate:
    return open_gate(settings_of(issuer))


def settings_of(issuer: Any, **more: Any) -> AccessSettings:
    return AccessSettings(issuer=issuer.url, audience=AUDIENCE, **more)


def claims(issuer: Any, **more: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {"iss": issuer.url, "aud": AUDIENCE, "sub": "pacs-router", "exp": now + 300, "iat": now}
    return {name: value for name, value in ({**made, "scope": "predict"} | more).items() if value is not None}


def admit(gate: Gate, token: str | None, scope: Scope = Scope.PREDICT) -> Caller:
    return asyncio.run(gate.admit(None if token is None else f"Bearer {token}", scope))


def denied(gate: Gate, token: str | None, scope: Scope = Scope.PREDICT) -> Denied:
    with pytest.raises(Denied) as caught:
        admit(gate, token, scope)
    return caught.value


def test_a_good_token_is_let_in_with_its_scopes(gate: Gate, issuer: Any) -> None:
    caller = admit(gate, KEY.sign(claims(issuer, scope="openid predict explain unheard-of")))
    assert caller == Caller("pacs-router", frozenset({Scope.PREDICT, Scope.EXPLAIN}), issuer.url)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"exp": int(time.time()) - 3600}, "expired"),
        ({"nbf": int(time.time()) + 3600}, "not-yet-valid"),
        ({"aud": "another-endpoint"}, "wrong-audience"),
        ({"aud": None}, "claim-missing"),
        ({"exp": None}, "claim-missing"),
        ({"sub": None}, "claim-missing"),
        ({"iss": "https://evil.example"}, "wrong-issuer"),
        ({"sub": "a\nb"}, "bad-subject"),
        ({"sub": "x" * 300}, "bad-subject"),
    ],
)
def test_a_token_with_wrong_claims_is_refused(
    gate: Gate, issuer: Any, changed: dict[str, Any], reason: str
) -> None:
    found = denied(gate, KEY.sign(claims(issuer, **changed)))
    assert (found.status, found.reason) == (401, reason)
    assert found.challenge.startswith('Bearer error="invalid_token"')


def test_without_a_token_the_challenge_names_the_scheme_only(gate: Gate) -> None:
    assert (denied(gate, None).reason, denied(gate, None).challenge) == ("no-token", "Bearer")
    with pytest.raises(Denied) as caught:
        asyncio.run(gate.admit("Basic dXNlcjpwYXNz", Scope.PREDICT))
    assert caught.value.status == 401


def test_a_scope_that_the_token_lacks_is_403_and_names_the_caller(gate: Gate, issuer: Any) -> None:
    found = denied(gate, KEY.sign(claims(issuer)), Scope.ADMIN)
    assert (found.status, found.reason, found.subject) == (403, "insufficient-scope", "pacs-router")
    assert 'scope="admin"' in found.challenge


@pytest.mark.parametrize("claim", [{"scp": "predict"}, {"scp": ["predict"]}, {"roles": ["predict"]}])
def test_scopes_in_entras_claims_count(gate: Gate, issuer: Any, claim: dict[str, Any]) -> None:
    assert admit(gate, KEY.sign(claims(issuer, scope=None, **claim))).scopes == {Scope.PREDICT}


def test_scopes_with_the_issuers_prefix(issuer: Any) -> None:
    prefixed = open_gate(settings_of(issuer, scope_prefix="isocenter."))
    assert admit(prefixed, KEY.sign(claims(issuer, scope="isocenter.predict"))).scopes == {Scope.PREDICT}
    assert denied(prefixed, KEY.sign(claims(issuer))).status == 403


def test_alg_none_is_refused(gate: Gate, issuer: Any) -> None:
    for alg in ("none", "None", "NONE"):
        unsigned = f"{_part({'alg': alg, 'kid': 'first'})}.{_part(claims(issuer))}."
        assert denied(gate, unsigned).reason == "algorithm-not-allowed"


def test_hmac_with_the_public_key_is_refused(gate: Gate, issuer: Any) -> None:
    public = KEY.secret.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{_part({'alg': 'HS256', 'kid': 'first', 'typ': 'JWT'})}.{_part(claims(issuer))}"
    tag = hmac.new(public, signed.encode(), hashlib.sha256).digest()
    assert denied(gate, f"{signed}.{_base64(tag)}").reason == "algorithm-not-allowed"


def test_hmac_cannot_be_configured(issuer: Any) -> None:
    with pytest.raises(ValidationError):
        settings_of(issuer, algorithms=("HS256",))


def test_a_token_of_another_key_under_a_known_id_is_refused(gate: Gate, issuer: Any) -> None:
    assert denied(gate, OTHER.sign(claims(issuer), kid="first")).reason == "bad-signature"


def test_a_key_in_the_tokens_own_header_is_not_trusted(gate: Gate, issuer: Any) -> None:
    forged = OTHER.sign(claims(issuer), jwk=OTHER.public, jku="http://127.0.0.1:1/keys")
    assert denied(gate, forged).reason == "unknown-key"


def test_a_changed_payload_is_refused(gate: Gate, issuer: Any) -> None:
    head, _, tag = KEY.sign(claims(issuer)).split(".")
    assert denied(gate, f"{head}.{_part(claims(issuer, scope='admin'))}.{tag}").reason == "bad-signature"


def test_an_identity_token_is_not_an_access_token(gate: Gate, issuer: Any) -> None:
    assert denied(gate, KEY.sign(claims(issuer), typ="logout+jwt")).reason == "not-an-access-token"


@pytest.mark.parametrize("algorithm", ["RS512", "ES256"])
def test_the_key_says_for_which_algorithm_it_is(issuer: Any, algorithm: str) -> None:
    gate = open_gate(settings_of(issuer, algorithms=("RS256", "RS512", "ES256")))
    another = provider.SigningKey("first", algorithm)
    assert denied(gate, another.sign(claims(issuer))).status == 401


def test_elliptic_curve_keys_are_taken(issuer: Any) -> None:
    key = provider.SigningKey("curve", "ES256")
    issuer.keys = [key.public]
    assert admit(open_gate(settings_of(issuer)), key.sign(claims(issuer))).subject == "pacs-router"


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_weak_and_symmetric_keys_are_not_taken(issuer: Any) -> None:
    weak = provider.SigningKey("weak", bits=1024)
    secret = {"kty": "oct", "kid": "secret", "k": _base64(b"x" * 32), "alg": "HS256"}
    issuer.keys = [weak.public, secret, {"kid": "broken", "kty": "RSA"}, "nonsense", KEY.public]
    gate = open_gate(settings_of(issuer))
    assert denied(gate, weak.sign(claims(issuer))).reason == "unknown-key"
    assert admit(gate, KEY.sign(claims(issuer)))


def test_a_rotated_key_is_found_and_made_up_ids_do_not_make_us_fetch(issuer: Any) -> None:
    gate = open_gate(settings_of(issuer, refetch_after_s=0.3))
    admit(gate, KEY.sign(claims(issuer)))
    issuer.keys = [KEY.public, OTHER.public]
    time.sleep(0.35)
    assert admit(gate, OTHER.sign(claims(issuer)))
    assert issuer.fetches == 2
    began = time.monotonic()
    for number in range(50):
        assert denied(gate, OTHER.sign(claims(issuer), kid=f"made-up-{number}")).reason == "unknown-key"
    assert issuer.fetches <= 3 + (time.monotonic() - began) / 0.3


def test_many_requests_at_once_fetch_the_keys_once(gate: Gate, issuer: Any) -> None:
    token = f"Bearer {KEY.sign(claims(issuer))}"

    async def all_at_once() -> None:
        await asyncio.gather(*(gate.admit(token, Scope.PREDICT) for _ in range(40)))

    asyncio.run(all_at_once())
    assert issuer.fetches == 1


def test_who_has_a_known_key_does_not_wait_for_an_issuer_that_hangs(issuer: Any) -> None:
    """A fetch is given up after five seconds at the earliest; an unknown key's caller waits for it."""
    gate = open_gate(settings_of(issuer, keys_for_s=1, refetch_after_s=0.1))
    known, unknown = (f"Bearer {key.sign(claims(issuer))}" for key in (KEY, OTHER))

    async def ask() -> None:
        await gate.admit(known, Scope.PREDICT)
        await asyncio.sleep(1.2)
        issuer.may_answer.clear()
        async with asyncio.timeout(4):
            for _ in range(20):
                assert await gate.admit(known, Scope.PREDICT)
        waiting = asyncio.create_task(gate.admit(unknown, Scope.PREDICT))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        assert issuer.fetches == 2
        issuer.keys = [KEY.public, OTHER.public]
        issuer.may_answer.set()
        assert await waiting

    asyncio.run(ask())


def test_known_keys_serve_while_the_issuer_is_down_but_not_for_ever(issuer: Any) -> None:
    gate = open_gate(settings_of(issuer, keys_for_s=1, keys_outlive_s=1, refetch_after_s=0.1))
    token = KEY.sign(claims(issuer))
    admit(gate, token)
    issuer.close()
    time.sleep(1.2)
    assert admit(gate, token)
    time.sleep(1.0)
    assert (denied(gate, token).status, denied(gate, token).reason) == (503, "keys-unavailable")


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 302},
        {"body": b"no json"},
        {"body": b'{"keys": "none"}'},
        {"body": b'{"keys": []}'},
        {"body": b"[" * 100_000},
        {"body": b'{"keys": [' + b" " * 400_000 + b"]}"},
        {"named_issuer": "https://evil.example"},
    ],
)
def test_an_issuer_that_answers_nonsense_is_503(issuer: Any, fault: dict[str, Any]) -> None:
    for name, value in fault.items():
        setattr(issuer, name, value)
    assert denied(open_gate(settings_of(issuer)), KEY.sign(claims(issuer))).reason == "keys-unavailable"


@given(st.text(max_size=200) | st.binary(max_size=200).map(_base64))
def test_no_text_gets_in(text: str) -> None:
    settings = AccessSettings(
        issuer="https://issuer.example", audience=AUDIENCE, jwks_uri="https://127.0.0.1:1/"
    )
    assert denied(open_gate(settings), text).status in (401, 503)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"issuer": "https://issuer.example"},
        {"audience": AUDIENCE},
        {"issuer": "http://issuer.example", "audience": AUDIENCE},
        {"issuer": "https://issuer.example", "audience": AUDIENCE, "jwks_uri": "http://issuer.example/keys"},
        {"fronted": "sagemaker", "issuer": "https://issuer.example"},
        {"fronted": "anything"},
    ],
)
def test_there_is_no_open_door(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AccessSettings(**settings)


def test_nested_headers_and_claims_are_malformed(gate: Gate, issuer: Any) -> None:
    nested = _base64(b"[" * 11_000)
    assert denied(gate, f"{nested}.e30.e30").reason == "malformed"
    head = _part({"alg": "RS256", "kid": "first"})
    assert denied(gate, f"{head}.{nested}.e30").status == 401
    assert denied(gate, "a" * 20_000).reason == "too-long"


def test_a_fronted_container_gives_no_admin_scope() -> None:
    gate = open_gate(AccessSettings(fronted="vertex"))
    assert asyncio.run(gate.admit(None, Scope.PREDICT)).subject == "vertex"
    with pytest.raises(Denied):
        asyncio.run(gate.admit(None, Scope.ADMIN))


def _part(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value).encode())
