"""What Vertex AI gives to the container of each replica.

https://cloud.google.com/vertex-ai/docs/training/code-requirements#environment-variables and
https://cloud.google.com/vertex-ai/docs/training/distributed-training#cluster-variables
"""

import json
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

# The address of each replica, by worker pool.
Cluster = Mapping[str, Sequence[str]]


def replicas_of(spec: Any) -> list[tuple[int, int]]:
    """Pool and index of each replica of a CustomJobSpec, the leading one first."""
    return [
        (pool, index)
        for pool, workers in enumerate(spec.worker_pool_specs)
        for index in range(workers.replica_count)
    ]


def replica_name(pool: int, index: int) -> str:
    """As the service calls it in logs and errors."""
    return f"workerpool{pool}-{index}"


def new_cluster(spec: Any) -> Cluster:
    """Addresses for the replicas on this machine, at ports that are free now."""
    found: dict[str, list[str]] = {}
    with ExitStack() as stack:
        for pool, _ in replicas_of(spec):
            probe = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            found.setdefault(f"workerpool{pool}", []).append(f"127.0.0.1:{probe.getsockname()[1]}")
    return found


def container_environment(job: Any, pool: int, index: int, cluster: Cluster) -> dict[str, str]:
    """Variables of a replica's container.

    Args:
        job: the CustomJob.
        pool: number of its worker pool.
        index: of the replica in the pool.
        cluster: from :func:`new_cluster`.
    """
    project, job_id = job.name.split("/")[1], job.name.rpartition("/")[2]
    environment = {
        "CLOUD_ML_PROJECT_ID": project,
        "CLOUD_ML_JOB_ID": job_id,
        "CLUSTER_SPEC": json.dumps(
            {
                "cluster": dict(cluster),
                "environment": "cloud",
                "task": {"type": f"workerpool{pool}", "index": index},
                "job": "",
            }
        ),
    }
    if base := job.job_spec.base_output_directory.output_uri_prefix.rstrip("/"):
        environment["AIP_MODEL_DIR"] = f"{base}/model/"
        environment["AIP_CHECKPOINT_DIR"] = f"{base}/checkpoints/"
        environment["AIP_TENSORBOARD_LOG_DIR"] = f"{base}/logs/"
    given = job.job_spec.worker_pool_specs[pool].container_spec.env
    return {**environment, **{variable.name: variable.value for variable in given}}


def container_command(container: Any, program: Sequence[str]) -> list[str]:
    """What the container runs: its own command, or ``program`` in place of the image's entry point."""
    return [*(container.command or program), *container.args]
