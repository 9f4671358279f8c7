"""Logs in CloudWatch: one stream a container.

https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html
"""

from collections.abc import Iterator
from typing import Any

_MISSING = "ResourceNotFoundException"


class ContainerLogs:
    """Reads on where it stopped.

    Args:
        client: of CloudWatch Logs.
        group: of the streams.
        prefix: of the streams' names; empty for all.
    """

    def __init__(self, client: Any, group: str, prefix: str) -> None:
        self._client, self._group, self._prefix = client, group, prefix
        self._tokens: dict[str, str] = {}

    def new_lines(self) -> Iterator[str]:
        """What came since the last call: each container's lines in their order.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: it can't be read now; nothing is skipped by that.
        """
        for stream in self._streams():
            yield from self._read(stream)

    def _streams(self) -> list[str]:
        from botocore.exceptions import ClientError

        asked = {"logStreamNamePrefix": self._prefix} if self._prefix else {}
        pages = self._client.get_paginator("describe_log_streams").paginate(logGroupName=self._group, **asked)
        try:
            return sorted(each["logStreamName"] for page in pages for each in page["logStreams"])
        except ClientError as error:
            if error.response["Error"]["Code"] == _MISSING:
                return []
            raise

    def _read(self, stream: str) -> Iterator[str]:
        while True:
            known = self._tokens.get(stream)
            asked = {"nextToken": known} if known else {}
            answer = self._client.get_log_events(
                logGroupName=self._group, logStreamName=stream, startFromHead=True, **asked
            )
            for event in answer["events"]:
                yield from event["message"].rstrip("\n").split("\n")
            self._tokens[stream] = answer["nextForwardToken"]
            # At the end of a stream the token stays the same.
            if answer["nextForwardToken"] == known or not answer["events"]:
                return


class JobLog(ContainerLogs):
    """Of a training job.

    Args:
        client: of CloudWatch Logs.
        job: its name.
    """

    def __init__(self, client: Any, job: str) -> None:
        super().__init__(client, "/aws/sagemaker/TrainingJobs", f"{job}/")


class EndpointLog(ContainerLogs):
    """Of an endpoint.

    Args:
        client: of CloudWatch Logs.
        endpoint: its name.
        variant: of this one only; empty for all.
    """

    def __init__(self, client: Any, endpoint: str, variant: str = "") -> None:
        prefix = f"{variant}/" if variant else ""
        super().__init__(client, f"/aws/sagemaker/Endpoints/{endpoint}", prefix)
