"""What a cloud's service leaves in its container, as far as serving wants it.

| Service | Recognised by | Model | Port and routes |
| --- | --- | --- | --- |
| Vertex AI | ``AIP_HTTP_PORT``, ``AIP_STORAGE_URI`` | ``AIP_STORAGE_URI`` (``gs://``) | ``AIP_*`` |
| Azure ML | ``AZUREML_MODEL_DIR`` | ``AZUREML_MODEL_DIR`` | 8080; routes are in the deployment |
| SageMaker | ``/opt/ml/model`` | ``/opt/ml/model`` | ``SAGEMAKER_BIND_TO_PORT``, else 8080 |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from isocenter.errors import InputError

_SAGEMAKER_ROOT = "/opt/ml"


@dataclass(frozen=True)
class VertexRoutes:
    """Where Vertex AI asks."""

    health: str = "/vertex/health"
    predict: str = "/vertex/predict"


@dataclass(frozen=True)
class Placement:
    """What the service wants.

    Args:
        service: ``vertex``, ``azureml``, ``sagemaker``, or empty.
        bundle: directory or URI of the model; empty where the service says nothing.
        port: to listen at; None likewise.
        vertex: routes of Vertex AI.
    """

    service: str = ""
    bundle: str = ""
    port: int | None = None
    vertex: VertexRoutes = field(default_factory=VertexRoutes)


def recognise(environ: Mapping[str, str]) -> Placement:
    """What the service that started this container wants.

    Args:
        environ: normally ``os.environ``. $ISOCENTER_SAGEMAKER_ROOT stands for ``/opt/ml``.

    Raises:
        InputError: a port is no number, or a route no path.
    """
    if environ.get("AIP_HTTP_PORT") or environ.get("AIP_STORAGE_URI"):
        routes = VertexRoutes(
            _route(environ, "AIP_HEALTH_ROUTE", VertexRoutes.health),
            _route(environ, "AIP_PREDICT_ROUTE", VertexRoutes.predict),
        )
        return Placement(
            "vertex", environ.get("AIP_STORAGE_URI", ""), _port(environ, "AIP_HTTP_PORT"), routes
        )
    if environ.get("AZUREML_MODEL_DIR"):
        return Placement("azureml", environ["AZUREML_MODEL_DIR"])
    model = Path(environ.get("ISOCENTER_SAGEMAKER_ROOT") or _SAGEMAKER_ROOT) / "model"
    if model.is_dir():
        return Placement("sagemaker", str(model), _port(environ, "SAGEMAKER_BIND_TO_PORT"))
    return Placement()


def _port(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "")
    if not text:
        return None
    if not text.isdigit() or not 0 < int(text) < 1 << 16:
        raise InputError(f"{name} is {text!r}, and should be a port's number.")
    return int(text)


def _route(environ: Mapping[str, str], name: str, default: str) -> str:
    route = environ.get(name) or default
    if not route.startswith("/") or "{" in route:
        raise InputError(f"{name} is {route!r}, and should be a path such as {default}.")
    return route
