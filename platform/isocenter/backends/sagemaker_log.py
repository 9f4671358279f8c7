"""A training job's log in CloudWatch: one stream a container.

https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html
"""

from collections.abc import Iterator
from typing import Any

_GROUP = "/aws/sagemaker/TrainingJobs"
_MISSING = "ResourceNotFoundException"


class JobLog:
    """Reads on where it stopped.

    Args:
        client: of CloudWatch Logs.
        job: name of the training job.
    """

    def __init__(self, client: Any, job: str) -> None:
        self._client, self._job = client, job
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

        pages = self._client.get_paginator("describe_log_streams").paginate(
            logGroupName=_GROUP, logStreamNamePrefix=f"{self._job}/"
        )
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
                logGroupName=_GROUP, logStreamName=stream, startFromHead=True, **asked
            )
            for event in answer["events"]:
                yield from event["message"].rstrip("\n").split("\n")
            self._tokens[stream] = answer["nextForwardToken"]
            # At the end of a stream the token stays the same.
            if answer["nextForwardToken"] == known or not answer["events"]:
                return
