"""The emulated AWS: our calls first, then moto, at one address.

Beside the faults of :mod:`isocenter.emulators.web_server`, ``POST /emulator/interrupt`` with
``{"job": NAME}`` takes back the machines of a spot job, and ``GET /emulator`` says what is here. Statuses of
faults stand for SageMaker's errors: 401 unknown credentials, 403 access denied, 419 expired credentials, 429
throttled (which SageMaker answers with 400), 500 and 503.
"""

import json
import re
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from isocenter.emulators.aws.clients import Clients
from isocenter.emulators.aws.moto_server import MotoServer
from isocenter.emulators.aws.pipelines import Pipelines
from isocenter.emulators.aws.provision import provision
from isocenter.emulators.aws.request_check import service_model
from isocenter.emulators.aws.service_error import FAULTS, ServiceError, answer, error_answer, invalid
from isocenter.emulators.aws.training_job import Surroundings
from isocenter.emulators.aws.training_jobs import TrainingJobs
from isocenter.emulators.web_server import Answer, Request, WebServer, json_answer
from isocenter.targets.descriptor import DeploymentDescriptor

STOP_GRACE_S = 120.0
_TARGET = "SageMaker."
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
    """

    def __init__(
        self, scratch: Path, program: Sequence[str], *, upstream: str = "", stop_grace_s: float = STOP_GRACE_S
    ) -> None:
        self._scratch, self._program = scratch, tuple(program)
        self._upstream, self._stop_grace_s = upstream, stop_grace_s
        self._moto: MotoServer | None = None
        self._server: WebServer | None = None
        self._jobs: TrainingJobs | None = None
        self._pipelines: Pipelines | None = None

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
        self._server = WebServer(Front(self._jobs, self._moto, self._pipelines), port)
        return self._server.start().address

    def close(self) -> None:
        """Kill the jobs that go on, end moto, answer no more."""
        if self._server is not None:
            self._server.close()
        if self._pipelines is not None:
            self._pipelines.close()
        if self._jobs is not None:
            self._jobs.close()
        if self._moto is not None:
            self._moto.close()
        if not self._upstream:
            for name in ("jobs", "pipelines"):
                shutil.rmtree(self._scratch / name, ignore_errors=True)


class Front:
    """Answers the calls of training jobs and of pipelines' executions here, and passes on all else."""

    def __init__(self, jobs: TrainingJobs, moto: MotoServer, pipelines: Pipelines) -> None:
        self._jobs, self._moto, self._pipelines = jobs, moto, pipelines

    def answer(self, request: Request) -> Answer:
        """What the client gets."""
        if request.path.startswith("/emulator"):
            return self._control(request)
        if request.path == "/moto-api/reset":
            self._jobs.clear()
        target = request.headers.get("x-amz-target", "")
        if not target.startswith(_TARGET):
            return self._moto.forward(request)
        operation = target.removeprefix(_TARGET)
        body = _parsed(request.body)
        is_pipeline = self._pipelines.answers(operation)
        if not is_pipeline and not self._jobs.answers(operation, body if isinstance(body, dict) else {}):
            if operation == "AddTags" and isinstance(body, dict):
                self._drop_old_tags(request, body)
            return self._moto.forward(request)
        try:
            region = _region(request)
            if not isinstance(body, dict):
                raise ServiceError("SerializationException", "The body is no JSON object.")
            return answer((self._pipelines if is_pipeline else self._jobs).do(operation, body, region))
        except ServiceError as error:
            return error_answer(error)

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
        return json_answer({"cloud": "aws", "training_jobs": self._jobs.names()})


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except ValueError:
        return None


def _region(request: Request) -> str:
    """The region that a request was signed for.

    Raises:
        ServiceError: it isn't signed.
    """
    found = _CREDENTIAL.search(request.headers.get("authorization", ""))
    if found is None:
        raise ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
    return found[1]
