"""The directory ``/opt/ml`` of one host of a training job.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FAILURE_CHARACTERS = 1024


@dataclass(frozen=True)
class OptMl:
    """One host's tree; ``root`` stands for /opt/ml."""

    root: Path

    @property
    def data(self) -> Path:
        """Where the input channels lie."""
        return self.root / "input" / "data"

    @property
    def model(self) -> Path:
        """What becomes model.tar.gz."""
        return self.root / "model"

    @property
    def output(self) -> Path:
        """What becomes output.tar.gz."""
        return self.root / "output" / "data"

    @property
    def checkpoints(self) -> Path:
        """What is kept in S3 while the job runs."""
        return self.root / "checkpoints"

    def make(self, request: Mapping[str, Any], hosts: Sequence[str], host: str) -> None:
        """Directories and configuration for ``host``, one of ``hosts``, of the job that ``request`` made."""
        config = self.root / "input" / "config"
        for folder in (config, self.data, self.model, self.output, self.checkpoints):
            folder.mkdir(parents=True, exist_ok=True)
        contents = {
            "hyperparameters": request.get("HyperParameters", {}),
            "inputdataconfig": {each["ChannelName"]: _channel(each) for each in _channels(request)},
            "resourceconfig": _resources(request, hosts, host),
        }
        for name, value in contents.items():
            (config / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")

    def failure(self) -> str:
        """What the program wrote about why it failed: the first 1,024 characters of output/failure."""
        path = self.root / "output" / "failure"
        if not path.is_file():
            return ""
        return path.read_text(encoding="utf-8", errors="replace")[:_FAILURE_CHARACTERS]


def _channels(request: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = request.get("InputDataConfig", ())
    return found


def _channel(channel: Mapping[str, Any]) -> dict[str, str]:
    return {
        "TrainingInputMode": channel.get("InputMode", "File"),
        "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
            "S3DataDistributionType", "FullyReplicated"
        ),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }


def _resources(request: Mapping[str, Any], hosts: Sequence[str], host: str) -> dict[str, Any]:
    machine = request["ResourceConfig"]["InstanceType"]
    group = {"instance_group_name": "homogeneousCluster", "instance_type": machine, "hosts": list(hosts)}
    return {
        "current_host": host,
        "current_instance_type": machine,
        "current_group_name": "homogeneousCluster",
        "hosts": list(hosts),
        "instance_groups": [group],
        "network_interface_name": "lo" if len(hosts) > 1 else "eth0",
    }
