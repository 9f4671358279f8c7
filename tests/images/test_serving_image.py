"""The serving image, built as users build it, started as each service starts it: the Predictor's scores."""

import base64
import contextlib
import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from image_building import Buildah, Container, Process
from service_contracts import BUCKET, Start, gcs_service
from serving_program import free_port

from isocenter.domain.digest import digest_tree
from isocenter_serving.answer import Prediction
from isocenter_serving.predictor import Predictor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
IMAGES = 4


@dataclass(frozen=True)
class Service:
    """How one service starts the container and talks to it.

    Args:
        environment: that it sets, beside its access mode; ``{port}``, ``{bundle}`` stand for this test's.
        mount: where it puts the bundle in the container; empty where the container fetches it.
        arguments: that it gives to the entry point in place of the image's own.
        ready: route that it asks for health.
        ask: route, and what it sends for a list of files.
        scores: of the answer.
    """

    environment: dict[str, str]
    ready: str
    route: str
    mount: str = ""
    ask: Callable[[list[bytes]], dict[str, Any]] = lambda files: {
        "instances": [{"b64": base64.b64encode(each).decode()} for each in files]
    }
    scores: Callable[[dict[str, Any]], list[float]] = lambda answer: [
        each["score"] for each in answer["predictions"]
    ]


def tensor(files: list[bytes]) -> dict[str, Any]:
    data = [base64.b64encode(each).decode() for each in files]
    return {"inputs": [{"name": "dicom", "shape": [len(data)], "datatype": "BYTES", "data": data}]}


SERVICES = {
    "sagemaker": Service(
        {"SAGEMAKER_BIND_TO_PORT": "{port}", "ISOCENTER_SERVING_ACCESS": "fronted:sagemaker"},
        ready="/ping",
        route="/invocations",
        mount="/opt/ml/model",
    ),
    "vertex": Service(
        {
            "AIP_HTTP_PORT": "{port}",
            "AIP_HEALTH_ROUTE": "/health",
            "AIP_PREDICT_ROUTE": "/predict",
            "AIP_STORAGE_URI": f"gs://{BUCKET}/models/7",
            "STORAGE_EMULATOR_HOST": "{storage}",
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
            "ISOCENTER_SERVING_ACCESS": "fronted:vertex",
        },
        ready="/health",
        route="/predict",
    ),
    "azureml": Service(
        {
            "AZUREML_MODEL_DIR": "/var/azureml-app/azureml-models",
            "ISOCENTER_SERVING_PORT": "{port}",
            "ISOCENTER_SERVING_ACCESS": "fronted:azureml",
        },
        ready="/azureml/ready",
        route="/score",
        mount="/var/azureml-app/azureml-models/cxr/3/model",
    ),
    "kubernetes": Service(
        {
            "ISOCENTER_SERVING_BUNDLE": "/mnt/models",
            "ISOCENTER_SERVING_PORT": "{port}",
            "ISOCENTER_SERVING_ACCESS": "fronted:sagemaker",
        },
        ready="/v2/health/ready",
        route="/v2/models/cxr/infer",
        mount="/mnt/models",
        ask=tensor,
        scores=lambda answer: list(answer["outputs"][0]["data"]),
    ),
}


@pytest.fixture(scope="module")
def image(buildah: Buildah, base: str) -> str:
    return buildah.make_image("serving", base)


@pytest.fixture(scope="module")
def container(buildah: Buildah, image: str) -> Container:
    return buildah.container(image)


@pytest.fixture(scope="module")
def storage(registered: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Cloud Storage that holds the bundle; its address."""
    with gcs_service(tmp_path_factory.mktemp("gcs")) as address:
        for path in filter(Path.is_file, registered.rglob("*")):
            named = {"uploadType": "media", "name": f"models/7/{path.relative_to(registered)}"}
            done = httpx.post(
                f"{address}/upload/storage/v1/b/{BUCKET}/o", params=named, content=path.read_bytes()
            )
            assert done.status_code == 200
        yield address


@pytest.fixture(scope="module")
def expected(registered: Path, files: list[Path]) -> list[Prediction]:
    found = list(Predictor(registered).predict(files[:IMAGES]))
    assert all(isinstance(each, Prediction) for each in found)
    return found  # type: ignore[return-value]


@dataclass
class Served:
    """A ready container."""

    process: Process
    client: httpx.Client


@contextmanager
def served(container: Container, service: Service, bundle: Path, storage: str) -> Iterator[Served]:
    port = free_port()
    common = {
        "ISOCENTER_SERVING_NAME": "cxr",
        "ISOCENTER_SERVING_NUMBER": "3",
        "ISOCENTER_SERVING_DIGEST": digest_tree(bundle),
        "ISOCENTER_SERVING_HOST": "127.0.0.1",
        "ISOCENTER_SERVING_WORKERS": "1",
    }
    told = {name: text.format(port=port, storage=storage) for name, text in service.environment.items()}
    mounts = {service.mount: bundle} if service.mount else {}
    with (
        container.started(Start((), common | told, Path, mounts)) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        wait_ready(process, client, service.ready)
        yield Served(process, client)


def wait_ready(process: Process, client: httpx.Client, route: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.client.poll() is None, process.wait()[1]
        with contextlib.suppress(httpx.TransportError):
            if client.get(route).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("not ready")


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_gets_the_predictors_scores(
    name: str,
    container: Container,
    registered: Path,
    storage: str,
    files: list[Path],
    expected: list[Prediction],
) -> None:
    service = SERVICES[name]
    bodies = [path.read_bytes() for path in files[:IMAGES]]
    with served(container, service, registered, storage) as program:
        answer = program.client.post(service.route, json=service.ask(bodies))
        assert answer.status_code == 200, answer.text
        scores = service.scores(answer.json())
        assert scores == pytest.approx([each.score for each in expected], abs=1e-5)
        program.process.signal(signal.SIGTERM)
        code, log = program.process.wait()
    assert code == 0, log
    assert "CANARY" not in log


def test_a_changed_bundle_is_not_served(container: Container, bundle: Path) -> None:
    digest = digest_tree(bundle)
    weights = bundle / "models" / "model.onnx"
    changed = bytearray(weights.read_bytes())
    changed[len(changed) // 2] ^= 1
    weights.write_bytes(changed)
    told = {
        "ISOCENTER_SERVING_BUNDLE": "/mnt/models",
        "ISOCENTER_SERVING_DIGEST": digest,
        "ISOCENTER_SERVING_ACCESS": "fronted:sagemaker",
        "ISOCENTER_SERVING_PORT": str(free_port()),
    }
    with container.started(Start((), told, Path, {"/mnt/models": bundle})) as process:
        code, log = process.wait()
    assert code == 6, log
    assert digest.removeprefix("sha256:")[:12] in log


def test_image_is_not_root_and_lists_its_packages(buildah: Buildah, image: str, container: Container) -> None:
    config = json.loads(buildah("inspect", "--type", "image", image.removeprefix("sha256:")))["OCIv1"][
        "config"
    ]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["/opt/isocenter/bin/python", "-m", "isocenter_serving"]
    assert config["Cmd"] == ["serve"]
    listed = json.loads((container.root / "usr/share/isocenter/packages.cdx.json").read_text())
    names = {each["name"] for each in listed["components"]}
    assert {"onnxruntime", "fastapi", "gcsfs", "s3fs"} <= names
    assert not names & {"torch", "monai", "boto3", "google-cloud-aiplatform", "pip"}
