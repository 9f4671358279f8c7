"""The emulated AWS: our calls first, then moto, at one address.

Beside the faults of :mod:`isocenter.emulators.web_server`, ``POST /emulator/interrupt`` with
``{"job": NAME}`` takes back the machines of a spot job, and ``GET /emulator`` says what is here. Statuses of
faults stand for SageMaker's errors: 401 unknown credentials, 403 access denied, 419 expired credentials, 429
throttled (which SageMaker answers with 400), 500 and 503.
"""

import json
import re
import secrets
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from isocenter.emulators.aws.answer_capture import AnswerCapture
from isocenter.emulators.aws.clients import Clients
from isocenter.emulators.aws.endpoint_metrics import EndpointMetrics
from isocenter.emulators.aws.endpoints import Endpoints
from isocenter.emulators.aws.fleet import ServingSurroundings
from isocenter.emulators.aws.invocations import Invocations
from isocenter.emulators.aws.moto_server import MotoServer
from isocenter.emulators.aws.pipelines import Pipelines
from isocenter.emulators.aws.provision import provision
from isocenter.emulators.aws.request_check import service_model
from isocenter.emulators.aws.service_error import FAULTS, ServiceError, answer, error_answer, invalid
from isocenter.emulators.aws.training_job import Surroundings
from isocenter.emulators.aws.training_jobs import TrainingJobs
from isocenter.emulators.serve import SERVING_PROGRAM
from isocenter.emulators.web_server import Answer, Request, WebServer, json_answer
from isocenter.servers.local_process import kill_all
from isocenter.targets.descriptor import DeploymentDescriptor

STOP_GRACE_S = 120.0
_TARGET = "SageMaker."
_REGISTER = "AnyScaleFrontendService.RegisterScalableTarget"
# Whose key it is doesn't matter: nothing is known of identities here.
_CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/([^/]+)/")


class AwsEmulator:
    """One emulated account.

    What it holds is moto's, in memory. When this process is killed, moto stays for ten minutes: another
    emulator on the same ``scratch`` goes on with it, and with the jobs. Where moto has ended too, jobs that
    went on have failed, and all else is new.

    Args:
        scratch: folder for what jobs leave behind and for moto's log.
        program: what stands for the image's entry point.
        upstream: address of a moto that somebody else started; empty: one is started and ends with this.
            Jobs of an earlier emulator on the same moto go on.
        stop_grace_s: seconds between SIGTERM and SIGKILL; SageMaker's are 120.
        serving_program: what stands for the serving image's entry point.
    """

    def __init__(
        self,
        scratch: Path,
        program: Sequence[str],
        *,
        upstream: str = "",
        stop_grace_s: float = STOP_GRACE_S,
        serving_program: Sequence[str] = SERVING_PROGRAM,
    ) -> None:
        self._scratch, self._program = scratch, tuple(program)
        self._serving_program = tuple(serving_program)
        self._upstream, self._stop_grace_s = upstream, stop_grace_s
        self._moto: MotoServer | None = None
        self._server: WebServer | None = None
        self._jobs: TrainingJobs | None = None
        self._pipelines: Pipelines | None = None
        self._endpoints: Endpoints | None = None
        self._metrics: EndpointMetrics | None = None

    def start(self, name: str, port: int) -> DeploymentDescriptor:
        """Answer at ``port``; returns the target's descriptor, whose buckets, keys and roles exist.

        Raises:
            OSError: the port is taken.
            EnvironmentFaultError: moto doesn't start.
        """
        address = self._listen(port, self._scratch / "moto.json")
        assert self._moto is not None  # noqa: S101 - just started
        return provision(Clients(self._moto.address), name, address)

    def listen(self, port: int) -> str:
        """Answer at ``port``, as an account with nothing in it, that ends with this process; its address.

        Raises:
            OSError: the port is taken.
            EnvironmentFaultError: moto doesn't start.
        """
        return self._listen(port, None)

    @property
    def is_new(self) -> bool:
        """See :class:`isocenter.emulators.serve.Emulator`."""
        return self._moto is None or self._moto.is_new

    def _listen(self, port: int, state: Path | None) -> str:
        with socket.create_server(("127.0.0.1", port)):
            pass  # it is free; found out before anything is started
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._moto = MotoServer(self._upstream, self._scratch / "moto.log", state)
        surroundings = Surroundings(Clients(self._moto.address), self._program, self._stop_grace_s)
        self._jobs = TrainingJobs(self._scratch / "jobs", surroundings, go_on=not self._moto.is_new)
        self._pipelines = Pipelines(self._scratch / "pipelines", surroundings.clients, self._jobs)
        service_model()
        front = Front(self._jobs, self._moto, self._pipelines, *self._serving(surroundings.clients))
        self._server = WebServer(front, port)
        return self._server.start().address

    def _serving(self, clients: Clients) -> tuple[Endpoints, Invocations]:
        folder = self._scratch / "endpoints"
        mark = self._scratch / "endpoints.mark"
        if mark.is_file():
            kill_all(mark.read_text())  # what an emulator that was killed left
        mark.write_text(secrets.token_hex(16))
        shutil.rmtree(folder, ignore_errors=True)
        surroundings = ServingSurroundings(
            clients, self._serving_program, self._stop_grace_s, mark.read_text()
        )
        self._endpoints, self._metrics = Endpoints(folder, surroundings), EndpointMetrics(clients)
        return self._endpoints, Invocations(self._endpoints, self._metrics, AnswerCapture(clients))

    def close(self) -> None:
        """Kill the jobs that go on, end moto, answer no more."""
        if self._server is not None:
            self._server.close()
        if self._pipelines is not None:
            self._pipelines.close()
        if self._jobs is not None:
            self._jobs.close()
        if self._endpoints is not None:
            self._endpoints.close()
        if self._metrics is not None:
            self._metrics.close()
        if self._moto is not None:
            self._moto.close()
        if not self._upstream:
            for name in ("jobs", "pipelines"):
                shutil.rmtree(self._scratch / name, ignore_errors=True)


class Front:
    """Answers the calls of jobs, pipelines' executions and endpoints here, and passes on all else."""

    def __init__(
        self,
        jobs: TrainingJobs,
        moto: MotoServer,
        pipelines: Pipelines,
        endpoints: Endpoints,
        invocations: Invocations,
    ) -> None:
        self._jobs, self._moto, self._pipelines = jobs, moto, pipelines
        self._endpoints, self._invocations = endpoints, invocations

    def answer(self, request: Request) -> Answer:
        """What the client gets."""
        if request.path.startswith("/emulator"):
            return self._control(request)
        if request.path == "/moto-api/reset":
            self._jobs.clear()
            self._endpoints.clear()
        try:
            return self._answer(request) or self._moto.forward(request)
        except ServiceError as error:
            return error_answer(error)

    def _answer(self, request: Request) -> Answer | None:
        """What is answered here; None: moto answers.

        Raises:
            ServiceError: the request is refused.
        """
        target = request.headers.get("x-amz-target", "")
        if self._invocations.answers(request):
            return self._invocations.answer(request, _region(request))
        body = _parsed(request.body) if target.startswith(_TARGET) or target == _REGISTER else None
        if target == _REGISTER:
            self._check_scaling(body, request)
            return None
        if not target.startswith(_TARGET):
            return None
        operation = target.removeprefix(_TARGET)
        asked = body if isinstance(body, dict) else {}
        for service in (self._jobs, self._endpoints):
            if service.answers(operation, asked):
                region = _region(request)
                return answer(service.do(operation, _object(body), region))
        if self._pipelines.answers(operation):
            region = _region(request)
            return answer(self._pipelines.do(operation, _object(body), region))
        if operation == "AddTags":
            self._drop_old_tags(request, asked)
        return None

    def _check_scaling(self, body: Any, request: Request) -> None:
        """Raise if a variant is to be scaled that isn't there; moto takes any."""
        asked = body if isinstance(body, dict) else {}
        resource = str(asked.get("ResourceId", ""))
        if asked.get("ServiceNamespace") != "sagemaker":
            return
        if not self._endpoints.has_variant(resource, _region(request)):
            raise invalid(f"SageMaker endpoint variant not found: {resource}")

    def fault(self, status: int) -> Answer:
        """SageMaker's error for ``status``."""
        return error_answer(ServiceError(*FAULTS.get(status, ("InternalFailure", "A fault.", status))))

    def _drop_old_tags(self, request: Request, body: Mapping[str, Any]) -> None:
        """moto keeps the old value of a tag beside the new one; SageMaker replaces it."""
        keys = [tag.get("Key") for tag in body.get("Tags", ()) if isinstance(tag, dict)]
        dropped = json.dumps({"ResourceArn": body.get("ResourceArn"), "TagKeys": keys}).encode()
        headers = {**request.headers, "x-amz-target": f"{_TARGET}DeleteTags"}
        self._moto.forward(replace(request, headers=headers, body=dropped))

    def _control(self, request: Request) -> Answer:
        if request.path == "/emulator/interrupt" and request.method == "POST":
            body = _parsed(request.body)
            try:
                if not isinstance(body, dict):
                    raise invalid("The body is no JSON object.")
                self._jobs.interrupt(str(body.get("job", "")))
            except ServiceError as error:
                return json_answer({"error": error.message}, 400)
            return json_answer({})
        known = {"training_jobs": self._jobs.names(), "endpoints": self._endpoints.names()}
        return json_answer({"cloud": "aws", **known})


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except ValueError:
        return None


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ServiceError("SerializationException", "The body is no JSON object.")
    return body


def _region(request: Request) -> str:
    """The region that a request was signed for.

    Raises:
        ServiceError: it isn't signed.
    """
    found = _CREDENTIAL.search(request.headers.get("authorization", ""))
    if found is None:
        raise ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
    return found[1]
