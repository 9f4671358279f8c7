"""One time that a job is on its machines: inputs fetched, containers started, watched, stopped."""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.emulators.aws.buckets import Transfer, channel_uri
from isocenter.emulators.aws.job_log import LogPump
from isocenter.emulators.aws.opt_ml import OptMl
from isocenter.emulators.job_process import JobProcess


class NoInputError(Exception):
    """A channel has no objects; the message is the service's."""


@dataclass(frozen=True)
class Host:
    """One machine of a launch."""

    number: int
    address: str
    tree: OptMl
    process: JobProcess


class Launch:
    """The containers of a job, all or none.

    Args:
        folder: of this launch; another object with that folder finds the same processes.
        name: of the job.
        region: it runs in.
        request: that made it.
        program: what stands for the image's entry point.
        loopback: first three numbers of the addresses of its hosts, where there are several.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        region: str,
        request: Mapping[str, Any],
        program: Sequence[str],
        loopback: str,
    ) -> None:
        self.folder, self._name, self._region, self._request = folder, name, region, request
        self._pumps: list[LogPump] = []
        count = request["ResourceConfig"]["InstanceCount"]
        addresses = [f"{loopback}.{number}" for number in range(1, count + 1)] if count > 1 else ["algo-1"]
        self.hosts = tuple(
            self._host(number, address, program) for number, address in enumerate(addresses, 1)
        )

    @property
    def is_started(self) -> bool:
        """Whether all containers were started."""
        return all(host.process.is_started for host in self.hosts)

    def prepare(self, transfer: Transfer) -> None:
        """Make the trees, fetch the channels, bring back the checkpoints.

        Raises:
            NoInputError: a channel has no objects.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        shared = self.folder / "channels"
        for channel in self._request.get("InputDataConfig", ()):
            uri, target = channel_uri(channel), shared / channel["ChannelName"]
            target.mkdir(parents=True)
            if not transfer.download(uri, target):
                raise NoInputError(
                    f'ClientError: Data download failed:No S3 objects found under S3 URL "{uri}" given in'
                    " input data source. Please ensure that the bucket exists in the selected region, that"
                    " objects exist under that S3 prefix, and that the role has s3:ListBucket permissions."
                )
        checkpoints = self._request.get("CheckpointConfig", {}).get("S3Uri", "")
        for host in self.hosts:
            host.tree.make(self._request, [each.address for each in self.hosts], host.address)
            for channel in shared.iterdir() if shared.is_dir() else ():
                (host.tree.data / channel.name).symlink_to(channel)
            if checkpoints:
                transfer.restore(checkpoints, host.tree.checkpoints)

    def start(self) -> None:
        """Start the containers."""
        streams = {str(host.number): self._stream(host) for host in self.hosts}
        (self.folder / "streams.json").write_text(json.dumps(streams))
        for host in self.hosts:
            host.process.start()

    def send_logs(self, logs: Any) -> None:
        """Send the containers' logs on from now until :meth:`close`."""
        streams = json.loads((self.folder / "streams.json").read_text())
        self._pumps = [LogPump(logs, host.process.log, streams[str(host.number)]) for host in self.hosts]

    def save_checkpoints(self, transfer: Transfer) -> None:
        """Send new and changed checkpoints to S3."""
        uri = self._request.get("CheckpointConfig", {}).get("S3Uri", "")
        for host in self.hosts if uri else ():
            transfer.send_changes(host.tree.checkpoints, uri)

    def codes(self) -> list[int | None]:
        """Exit code of each container; None while it runs."""
        return [host.process.poll() for host in self.hosts]

    def terminate(self, grace_s: float) -> None:
        """SIGTERM to those that run, SIGKILL later; returns at once."""
        for host in self.hosts:
            host.process.terminate(grace_s)

    def close(self) -> None:
        """Wait until the whole log is sent."""
        for pump in self._pumps:
            pump.close()

    def failure(self) -> str:
        """The service's words for the container that failed first in line."""
        for host in self.hosts:
            ending = host.process.ending()
            if ending is None or ending.exit_code == 0 or (ending.stopped and len(self.hosts) > 1):
                continue
            if ending.error:
                return f"AlgorithmError: {ending.error}, exit code: {ending.exit_code}"
            code = ending.exit_code if ending.exit_code > 0 else 128 - ending.exit_code
            return f"AlgorithmError: {host.tree.failure()}, exit code: {code}"
        return "AlgorithmError: , exit code: 1"

    def _host(self, number: int, address: str, program: Sequence[str]) -> Host:
        folder = self.folder / f"algo-{number}"
        tree = OptMl(folder / "opt" / "ml")
        specification = self._request["AlgorithmSpecification"]
        start = specification.get("ContainerEntrypoint", program)
        command = (*start, *specification.get("ContainerArguments", ("train",)))
        environment = {
            "AWS_REGION": self._region,
            "TRAINING_JOB_NAME": self._name,
            "ISOCENTER_SAGEMAKER_ROOT": str(tree.root),
            **self._request.get("Environment", {}),
        }
        return Host(
            number, address, tree, JobProcess(command, environment, folder / "process", folder / "log")
        )

    def _stream(self, host: Host) -> str:
        return f"{self._name}/algo-{host.number}-{int(time.time() * 1000)}"
