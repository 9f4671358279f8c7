"""InvokeEndpoint: a request to a variant by weight, a copy to its shadow, and what CloudWatch gets of it.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
"""

import json
import re
import threading
import time
from functools import cache
from uuid import uuid4

from isocenter.emulators.aws.answer_capture import AnswerCapture
from isocenter.emulators.aws.clients import ACCOUNT
from isocenter.emulators.aws.endpoint_metrics import EndpointMetrics
from isocenter.emulators.aws.endpoints import Endpoints
from isocenter.emulators.aws.fleet import Group
from isocenter.emulators.aws.service_error import ServiceError
from isocenter.emulators.aws.serving_instance import ContainerAnswer
from isocenter.emulators.web_server import Answer, Request

_PATH = re.compile(r"/endpoints/([^/]+)/invocations")
_TARGET_VARIANT = "x-amzn-sagemaker-target-variant"
_LONGEST_MESSAGE = 1024


@cache
def largest_body() -> int:
    """As botocore's model of the service has it."""
    import botocore.session

    model = botocore.session.get_session().get_service_model("sagemaker-runtime")
    body = model.operation_model("InvokeEndpoint").input_shape.members["Body"]
    return int(body.metadata["max"])


class Invocations:
    """What answers at an endpoint's address.

    Args:
        endpoints: all there are.
        metrics: what CloudWatch is told.
        capture: keeps answers.
    """

    def __init__(self, endpoints: Endpoints, metrics: EndpointMetrics, capture: AnswerCapture) -> None:
        self._endpoints, self._metrics, self._capture = endpoints, metrics, capture

    def answers(self, request: Request) -> bool:
        """Whether this is InvokeEndpoint."""
        return request.method == "POST" and _PATH.fullmatch(request.path) is not None

    def answer(self, request: Request, region: str) -> Answer:
        """The container's answer.

        Raises:
            ServiceError: there is no such endpoint, or its container refuses or fails.
        """
        found = _PATH.fullmatch(request.path)
        name = found[1] if found else ""
        if len(request.body) > largest_body():
            return Answer(413, b"")
        endpoint = self._endpoints.find(name, region)
        chosen = None if endpoint is None else endpoint.choose(request.headers.get(_TARGET_VARIANT, ""))
        if chosen is None:
            raise ServiceError("ValidationError", f"Endpoint {name} of account {ACCOUNT} not found.")
        fleet, group = chosen
        for shadow in fleet.shadows.values():
            asked = (name, region, shadow, request)
            threading.Thread(target=self._ask, args=asked, daemon=True).start()
        said = self._ask(name, region, group, request)
        if not 200 <= said.status < 300:
            return _model_error(name, group, said)
        self._capture.record(name, region, fleet.config, group.name, said.body)
        headers = {
            "Content-Type": said.content_type,
            "x-Amzn-Invoked-Production-Variant": group.name,
            "x-amzn-RequestId": str(uuid4()),
        }
        return Answer(200, said.body, headers)

    def _ask(self, endpoint: str, region: str, group: Group, request: Request) -> ContainerAnswer:
        began = time.monotonic()
        instance = group.pick()
        said = (
            ContainerAnswer(0, b"", "")
            if instance is None
            else instance.invoke(request.body, request.headers)
        )
        self._metrics.count(endpoint, region, group.name, said.status, time.monotonic() - began)
        return said


def _model_error(endpoint: str, group: Group, said: ContainerAnswer) -> Answer:
    kind = "client" if 400 <= said.status < 500 else "server"
    text = said.body.decode("utf-8", "replace")[:_LONGEST_MESSAGE]
    body = {
        "Message": f'Received {kind} error ({said.status}) from primary with message "{text}". See the log'
        f" group /aws/sagemaker/Endpoints/{endpoint} for more information.",
        "OriginalMessage": text,
        "OriginalStatusCode": said.status,
        "LogStreamArn": f"arn:aws:logs:::log-group:/aws/sagemaker/Endpoints/{endpoint}",
    }
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "ModelError"}
    return Answer(424, json.dumps(body).encode(), {**headers, "x-amzn-RequestId": str(uuid4())})
