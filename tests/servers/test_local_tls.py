"""A local endpoint's port with mutual TLS: through the router, which is the only one that has the key."""

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from ssl import SSLContext, create_default_context

import pytest
from certificates import Authority

from isocenter.domain.rollout import EndpointState, InstanceSize, Rollout
from isocenter.domain.run import new_run_id
from isocenter.errors import InputError
from isocenter.home import Home
from isocenter.servers import Server, load_server

sys.path.insert(0, str(Path(__file__).parent))
from local_endpoints import STAND_IN, end_all, processes, variant, wait_for
from server_contract import NAME, settle

SETTINGS = {"serving_entry_point": [sys.executable, str(STAND_IN)], "stop_grace_s": 20, "ready_s": 60}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path)
    made.sign("server")
    made.sign("client")
    return made


@pytest.fixture
def server(home: Home, tmp_path: Path, authority: Authority) -> Iterator[Server]:
    files = {"tls_certificate": f"{tmp_path}/server.pem", "tls_key": f"{tmp_path}/server.key"}
    yield load_server("local", home, {**SETTINGS, **files, "tls_client_ca": str(authority.file)})
    end_all(home)


def ask(url: str, context: SSLContext) -> int:
    with urllib.request.urlopen(f"{url}/predict", b"x", timeout=30, context=context) as answer:
        return int(json.loads(answer.read())["version"])


def rollout(tmp_path: Path) -> Rollout:
    return Rollout(new_run_id(), NAME, "local", (variant(tmp_path, 1),), size=InstanceSize(cpus=1))


def test_only_clients_of_the_authority_are_answered(
    server: Server, home: Home, tmp_path: Path, authority: Authority
) -> None:
    endpoint = settle(server, server.plan(rollout(tmp_path)))
    assert (endpoint.state, endpoint.url.partition(":")[0]) == (EndpointState.READY, "https")
    nobody = create_default_context(cafile=authority.file)
    client = create_default_context(cafile=authority.file)
    client.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
    assert ask(endpoint.url, client) == 1
    with pytest.raises(OSError, match=r"certificate|closed|reset|EOF"):
        ask(endpoint.url, nobody)
    with pytest.raises(OSError, match=r"closed|reset|EOF|400"):
        ask(endpoint.url.replace("https", "http"), nobody)

    (router, *_) = processes(home, "router")
    os.kill(router, 9)
    wait_for(lambda: processes(home, "router") not in ([], [router]))
    assert ask(endpoint.url, client) == 1


def test_files_that_are_no_good_are_refused_before_anything_is_there(
    server: Server, tmp_path: Path, authority: Authority
) -> None:
    (tmp_path / "server.key").write_bytes((tmp_path / "client.key").read_bytes())
    with pytest.raises(InputError, match="not that of the certificate"):
        server.apply(server.plan(rollout(tmp_path)))
    assert server.describe(NAME) is None


def test_an_endpoint_keeps_its_files(home: Home, server: Server, tmp_path: Path) -> None:
    settle(server, server.plan(rollout(tmp_path)))
    without = load_server("local", home, SETTINGS)
    with pytest.raises(InputError, match="other TLS files"):
        without.apply(without.plan(rollout(tmp_path)))
