"""TLS and mutual TLS of the serving program, with real certificates and real handshakes."""

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from certificates import Authority
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from serving_program import ACCESS, DICOM, arguments, free_port

from isocenter.errors import InputError
from isocenter.tls import TlsFiles, server_context


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    made = Authority(folder)
    made.sign("server")
    made.sign("client")
    return made


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A client of another authority."""
    return Authority(tmp_path_factory.mktemp("elsewhere"), "elsewhere").sign("stranger")


@pytest.fixture(scope="module")
def ports(
    registered: Path, authority: Authority, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, int]]:
    """A running program's port with mutual TLS, and its second port."""
    port, admin = free_port(), free_port()
    options = ["--workers", 1, "--pause-s", 2, "--admin-port", admin, "--access", ACCESS]
    options += ["--tls-certificate", folder / "server.pem", "--tls-key", folder / "server.key"]
    options += ["--tls-client-ca", authority.file]
    log_path = tmp_path_factory.mktemp("tls") / "log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(arguments(registered, port, *options), stderr=log)
    deadline = time.monotonic() + 60
    while '"ready"' not in log_path.read_text():
        assert process.poll() is None, log_path.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield port, admin
    process.terminate()
    assert process.wait(60) == 0
    assert '"error"' not in log_path.read_text()


def client_of(port: int, authority: Authority, certificate: Path | None) -> httpx.Client:
    context = ssl.create_default_context(cafile=authority.file)
    if certificate is not None:
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=context, timeout=30)


def test_a_client_of_the_authority_gets_answers(
    ports: tuple[int, int], authority: Authority, folder: Path, files: list[Path]
) -> None:
    with client_of(ports[0], authority, folder / "client.pem") as client:
        answers = [client.post("/v1/predict", content=files[0].read_bytes(), headers=DICOM) for _ in range(3)]
        assert client.get("/readyz").status_code == 200
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("who", ["nobody", "stranger"])
def test_nobody_else_comes_as_far_as_a_request(
    ports: tuple[int, int], authority: Authority, stranger: Path, who: str
) -> None:
    certificate = stranger if who == "stranger" else None
    with client_of(ports[0], authority, certificate) as client, pytest.raises(httpx.TransportError):
        client.get("/readyz")


def test_without_tls_there_is_no_answer(ports: tuple[int, int]) -> None:
    with httpx.Client(timeout=10) as client, pytest.raises(httpx.TransportError):
        client.get(f"http://127.0.0.1:{ports[0]}/readyz")


def test_an_old_version_is_refused(ports: tuple[int, int], authority: Authority, folder: Path) -> None:
    context = ssl.create_default_context(cafile=authority.file)
    context.load_cert_chain(folder / "client.pem", folder / "client.key")
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", ports[0]), timeout=10) as connection,
        pytest.raises(OSError, match=r"SSL|TLS|reset"),
    ):
        context.wrap_socket(connection, server_hostname="127.0.0.1")


def test_clients_that_never_agree_keep_nobody_waiting(
    ports: tuple[int, int], authority: Authority, folder: Path
) -> None:
    silent = [socket.create_connection(("127.0.0.1", ports[0]), timeout=20) for _ in range(20)]
    try:
        with client_of(ports[0], authority, folder / "client.pem") as client:
            assert client.get("/readyz").status_code == 200
        assert silent[0].recv(10) == b"", "it is given up"
    finally:
        for connection in silent:
            connection.close()


def test_the_second_port_answers_operations_only(ports: tuple[int, int], files: list[Path]) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{ports[1]}", timeout=10) as client:
        assert client.get("/readyz").status_code == 200
        assert client.get("/metrics").status_code == 200
        answer = client.post("/v1/predict", content=files[0].read_bytes(), headers=DICOM)
        assert (answer.status_code, answer.json()["code"]) == (404, "no-such-route")


def test_weak_or_wrong_files_are_refused(authority: Authority, folder: Path) -> None:
    good = TlsFiles(folder / "server.pem", folder / "server.key", authority.file)
    assert server_context(good).minimum_version == ssl.TLSVersion.TLSv1_2
    small = rsa.generate_private_key(65537, 1024)
    cases = {
        "1024 bits": authority.sign("small", small),
        "curve": authority.sign("curve", ec.generate_private_key(ec.SECP192R1())),
        "not valid now": authority.sign("old", ends=-timedelta(days=1)),
        "subjectAltName": authority.sign("nameless", names_host=False),
    }
    for said, certificate in cases.items():
        with pytest.raises(InputError, match=said):
            server_context(TlsFiles(certificate, certificate.with_suffix(".key")))
    with pytest.raises(InputError, match="not that of the certificate"):
        server_context(TlsFiles(good.certificate, folder / "client.key"))
    with pytest.raises(InputError, match="not an authority's"):
        server_context(TlsFiles(good.certificate, good.key, folder / "client.pem"))
    with pytest.raises(InputError, match="can't be read"):
        server_context(TlsFiles(folder / "none.pem", good.key))
    with pytest.raises(InputError, match="no certificate in PEM"):
        server_context(TlsFiles(good.key, good.key))
    opened = authority.sign("open").with_suffix(".key")
    opened.chmod(0o644)
    with pytest.raises(InputError, match="Everybody on this machine"):
        server_context(TlsFiles(folder / "open.pem", opened))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tls-certificate", "server.pem"], "TLS needs both"),
        (["--tls-client-ca", "authority.pem"], "TLS needs both"),
        (["--tls-certificate", "server.pem", "--tls-key", "client.key"], "not that of the certificate"),
        (["--socket", "s", "--tls-certificate", "server.pem", "--tls-key", "server.key"], "exclude"),
    ],
)
def test_it_does_not_start_with_such_files(
    registered: Path, authority: Authority, folder: Path, options: list[str], said: str
) -> None:
    command = [sys.executable, "-m", "isocenter_serving", "serve", "--bundle", registered, "--access", ACCESS]
    done = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert said in done.stderr
