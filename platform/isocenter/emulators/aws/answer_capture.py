"""Data capture: answers of endpoints as JSON lines in S3.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

from isocenter.emulators.aws.buckets import split_uri
from isocenter.emulators.aws.clients import Clients

_ALL = 100


class AnswerCapture:
    """Keeps the share of answers that configurations ask for, an object each.

    Args:
        clients: of the account.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._credit: dict[str, int] = {}

    def record(
        self, endpoint: str, region: str, config: Mapping[str, Any], variant: str, body: bytes
    ) -> None:
        """Keep ``body``, if its turn has come."""
        asked = config.get("DataCaptureConfig", {})
        modes = {option["CaptureMode"] for option in asked.get("CaptureOptions", ())}
        if not asked.get("EnableCapture") or "Output" not in modes or not self._is_due(endpoint, asked):
            return
        bucket, prefix = split_uri(asked["DestinationS3Uri"])
        hour = time.strftime("%Y/%m/%d/%H", time.gmtime())
        key = f"{prefix.rstrip('/')}/{endpoint}/{variant}/{hour}/{uuid4()}.jsonl".lstrip("/")
        secret = asked.get("KmsKeyId")
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": secret} if secret else {}
        with suppress(Exception):  # a full bucket keeps no answer from its caller
            self._clients.client("s3", region).put_object(
                Bucket=bucket, Key=key, Body=_line(asked, body), **encryption
            )

    def _is_due(self, endpoint: str, asked: Mapping[str, Any]) -> bool:
        credit = self._credit.get(endpoint, 0) + int(asked["InitialSamplingPercentage"])
        self._credit[endpoint] = credit % _ALL
        return credit >= _ALL


def _line(asked: Mapping[str, Any], body: bytes) -> bytes:
    is_json = "application/json" in asked.get("CaptureContentTypeHeader", {}).get("JsonContentTypes", ())
    data = body.decode() if is_json else base64.b64encode(body).decode()
    output = {"observedContentType": "application/json", "mode": "OUTPUT", "data": data}
    output["encoding"] = "JSON" if is_json else "BASE64"
    metadata = {"eventId": str(uuid4()), "inferenceTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    line = {"captureData": {"endpointOutput": output}, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(line).encode() + b"\n"
