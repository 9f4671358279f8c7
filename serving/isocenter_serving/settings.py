"""How one serving program is set up: from its options, its environment, or the service that started it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from isocenter.domain.field_faults import field_faults
from isocenter.errors import InputError
from isocenter.tls import TlsFiles, tls_files
from isocenter_serving.access import AccessSettings
from isocenter_serving.contract import VertexRoutes, recognise
from isocenter_serving.limits import Limits

_FRONTED = "fronted:"
_PORT = 8080
_MIB = 1 << 20


@dataclass(frozen=True)
class Batching:
    """How images of different requests share one call of the network.

    Args:
        size: most images in one call.
        wait_s: an image waits at most so long for company, when the network is free.
    """

    size: int = 8
    wait_s: float = 0.005


@dataclass(frozen=True)
class Keeping:
    """What is kept of requests, in a folder that the target collects.

    Args:
        folder: for features and denials; None: nothing is kept.
        percent: of the images whose features are kept.
        limit_mib: the oldest features go beyond this size.
    """

    folder: Path | None = None
    percent: int = 100
    limit_mib: int = 256


@dataclass(frozen=True)
class ServingSettings:
    """All that a serving program is told.

    Args:
        bundle: directory or URI of the model.
        access: who may ask.
        digest: that the bundle's files must have.
        name: the model's registered name.
        number: of its version.
        host: address to listen at.
        port: TCP port; None: a Unix socket instead.
        socket: path of the Unix socket.
        admin_port: a second port of ``host`` that answers health and /metrics, without a token or TLS.
        tls: certificate and key; None: whoever stands in front has them.
        workers: processes that predict.
        threads: of one call of the network. With one, the workers share the loaded model's memory.
        grace_s: from SIGTERM until requests under way are cut off.
        limits: of each worker.
        batching: of each worker.
        vertex: routes of Vertex AI.
        keeping: what is kept of requests.
        json_only: whether answers that hold pixels or the patient's names are refused, because the service in
            front keeps answers.
    """

    bundle: str
    access: AccessSettings
    digest: str | None = None
    name: str | None = None
    number: int | None = None
    host: str = "0.0.0.0"  # noqa: S104 - a container is reached from outside
    port: int | None = 8080
    socket: Path | None = None
    admin_port: int | None = None
    tls: TlsFiles | None = None
    workers: int = 1
    threads: int = 1
    grace_s: int = 60
    limits: Limits = field(default_factory=Limits)
    batching: Batching = field(default_factory=Batching)
    vertex: VertexRoutes = field(default_factory=VertexRoutes)
    keeping: Keeping = field(default_factory=Keeping)
    json_only: bool = False


def parse_access(text: str) -> AccessSettings:
    """Who may ask, from ``fronted:SERVICE`` or a JSON object of :class:`.AccessSettings`.

    Raises:
        InputError: neither, or not a whole one. There is no default: an endpoint is never an open door.
    """
    if not text:
        raise InputError(
            "Nobody is said to be let in: --access (ISOCENTER_SERVING_ACCESS) is missing.",
            hint="'fronted:sagemaker' (vertex, azureml) behind that service's own access control, else JSON "
            'such as {"issuer": "https://...", "audience": "..."}.',
        )
    try:
        if text.startswith(_FRONTED):
            return AccessSettings.model_validate({"fronted": text.removeprefix(_FRONTED)})
        return AccessSettings.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"--access is wrong: {field_faults(error, AccessSettings)}.") from error


def settings_from(given: Mapping[str, Any], environ: Mapping[str, str]) -> ServingSettings:
    """Settings from the command line's options.

    Args:
        given: option's name -> value; None where it wasn't given.
        environ: where a cloud's service leaves what it wants.

    Raises:
        InputError: something is missing or doesn't fit.
    """
    placement = recognise(environ)
    bundle = given["bundle"] or placement.bundle
    if not bundle:
        raise InputError(
            "There is no model to serve.", hint="--bundle (ISOCENTER_SERVING_BUNDLE) names its directory."
        )
    if given["socket"] and given["port"]:
        raise InputError("--port and --socket exclude each other.")
    tls = tls_files(given["tls_certificate"], given["tls_key"], given["tls_client_ca"])
    if tls and given["socket"]:
        raise InputError("TLS is for a port: --tls-certificate and --socket exclude each other.")
    return ServingSettings(
        bundle=bundle,
        access=parse_access(given["access"] or ""),
        digest=given["digest"],
        name=given["name"],
        number=given["number"],
        host=given["host"],
        port=None if given["socket"] else given["port"] or placement.port or _PORT,
        socket=given["socket"],
        admin_port=given["admin_port"],
        tls=tls,
        workers=given["workers"] or len(os.sched_getaffinity(0)),
        threads=given["threads"],
        grace_s=given["grace_s"],
        limits=Limits(
            body_bytes=given["body_mib"] * _MIB,
            held_bytes=given["held_mib"] * _MIB,
            json_values=given["json_values"],
            queue_images=given["queue"],
            explanations=given["explanations"],
            deadline_s=given["deadline_s"],
            body_s=given["body_s"],
            pause_s=given["pause_s"],
        ),
        vertex=placement.vertex,
        keeping=Keeping(given["capture_dir"], given["capture_percent"], given["capture_limit_mib"]),
        batching=Batching(given["batch_size"], given["batch_wait_ms"] / 1000),
        json_only=given["answers"] == "json",
    )
