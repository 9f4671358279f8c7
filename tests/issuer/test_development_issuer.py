"""Tokens of the development issuer at the gate of an endpoint."""

import asyncio
import json
import stat
import time
from pathlib import Path

import pytest

from isocenter.errors import EnvironmentFaultError, InputError
from isocenter.home import Home
from isocenter.issuer import Grant, IssuerKeys, issue_token, open_issuer_keys
from isocenter.issuer.signing_keys import revoke_issuer_keys, rotate_issuer_keys
from isocenter.issuer.token import endpoint_audience
from isocenter_serving.access import AccessSettings, Denied, Gate, Scope, open_gate

GRANT = Grant("tester", endpoint_audience("chest"), ("predict", "explain"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "store")


def gate_of(keys: IssuerKeys, endpoint: str = "chest") -> Gate:
    settings = AccessSettings(
        issuer=keys.issuer,
        audience=endpoint_audience(endpoint),
        jwks_file=keys.jwks_file,
        keys_for_s=1,
        keys_outlive_s=0,
        refetch_after_s=0.1,
    )
    return open_gate(settings)


def reason(gate: Gate, token: str, scope: Scope = Scope.PREDICT) -> str:
    try:
        asyncio.run(gate.admit(f"Bearer {token}", scope))
    except Denied as denied:
        return denied.reason
    return ""


def test_a_token_opens_its_endpoint_for_its_scopes_only(home: Home) -> None:
    keys = open_issuer_keys(home)
    token, token_id = issue_token(keys, GRANT)
    assert len(token_id) == 26
    assert reason(gate_of(keys), token) == ""
    assert reason(gate_of(keys), token, Scope.EXPLAIN) == ""
    assert reason(gate_of(keys), token, Scope.ADMIN) == "insufficient-scope"
    assert reason(gate_of(keys, "another"), token) == "wrong-audience"


def test_another_store_takes_no_token_of_this_one(home: Home, tmp_path: Path) -> None:
    token, _ = issue_token(open_issuer_keys(home), GRANT)
    assert reason(gate_of(open_issuer_keys(Home(tmp_path / "other"))), token) == "unknown-key"


def test_a_token_expires(home: Home) -> None:
    keys = open_issuer_keys(home)
    token, _ = issue_token(keys, Grant("tester", GRANT.audience, ("predict",), lifetime_s=1))
    settings = AccessSettings(
        issuer=keys.issuer, audience=GRANT.audience, jwks_file=keys.jwks_file, leeway_s=0
    )
    time.sleep(1.1)
    assert reason(open_gate(settings), token) == "expired"


def test_after_a_rotation_old_and_new_tokens_are_taken(home: Home) -> None:
    gate = gate_of(open_issuer_keys(home))
    old, _ = issue_token(open_issuer_keys(home), GRANT)
    assert reason(gate, old) == ""
    new, _ = issue_token(rotate_issuer_keys(home), GRANT)
    time.sleep(0.15)
    assert (reason(gate, new), reason(gate, old)) == ("", "")


def test_after_a_revocation_no_older_token_is_taken(home: Home) -> None:
    gate = gate_of(open_issuer_keys(home))
    old, _ = issue_token(open_issuer_keys(home), GRANT)
    assert reason(gate, old) == ""
    new, _ = issue_token(revoke_issuer_keys(home), GRANT)
    time.sleep(1.1)
    assert (reason(gate, new), reason(gate, old)) == ("", "unknown-key")


def test_the_secret_key_is_readable_by_its_owner_only_and_not_published(home: Home) -> None:
    keys = open_issuer_keys(home)
    assert stat.S_IMODE((keys.folder / "signing.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    assert all("d" not in key for key in json.loads(keys.jwks_file.read_text())["keys"])


@pytest.mark.parametrize(
    "grant",
    [
        Grant("tester", "x", ("predict",), lifetime_s=86_401),
        Grant("tester", "x", ("predict",), lifetime_s=0),
        Grant("tester", "x", ("everything",)),
        Grant("tester", "x", ()),
    ],
)
def test_a_grant_without_bounds_is_refused(home: Home, grant: Grant) -> None:
    with pytest.raises(InputError):
        issue_token(open_issuer_keys(home), grant)


def test_damaged_keys_say_what_to_do(home: Home) -> None:
    folder = open_issuer_keys(home).folder
    (folder / "signing.json").write_text("{")
    with pytest.raises(EnvironmentFaultError, match=r"signing\.json is missing or damaged"):
        open_issuer_keys(home)
