"""Vertex AI custom training: arguments, AIP_MODEL_DIR and AIP_CHECKPOINT_DIR (gs://), and CLUSTER_SPEC.

https://cloud.google.com/vertex-ai/docs/training/code-requirements#environment-variables and
https://cloud.google.com/vertex-ai/docs/training/distributed-training#cluster-variables
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isocenter.errors import InputError
from isocenter_training.contract.arguments import Arguments
from isocenter_training.contract.assignment import Assignment, assign, json_object
from isocenter_training.contract.layout import DEFAULT_PORT, Layout, node_layout, torchrun_layout

NAME = "vertex"
_SIGNS = ("AIP_MODEL_DIR", "AIP_CHECKPOINT_DIR", "CLOUD_ML_JOB_ID")
_POOL = "workerpool"


def recognise(environ: Mapping[str, str]) -> str:
    """See :class:`.Service`."""
    return next((name for name in _SIGNS if environ.get(name)), "")


def assignment(environ: Mapping[str, str], arguments: Arguments) -> Assignment:
    """See :class:`.Service`. Without ``--output``, metrics and reports go beside the model."""
    given = {"model": environ.get("AIP_MODEL_DIR", ""), "checkpoints": environ.get("AIP_CHECKPOINT_DIR", "")}
    outputs = {kind: place.rstrip("/") for kind, place in given.items() if place}
    if "model" in outputs:
        outputs["output"] = outputs["model"].rpartition("/")[0] + "/output"
    return assign(NAME, environ, arguments, _layout(environ), outputs)


def failure_file(environ: Mapping[str, str]) -> Path | None:
    """See :class:`.Service`. Vertex AI shows the end of standard error."""
    return None


def _layout(environ: Mapping[str, str]) -> Layout:
    """One process on each replica, in the order of the worker pools; the first replica leads."""
    if environ.get("RANK") or not environ.get("CLUSTER_SPEC"):
        return torchrun_layout(environ)
    spec = json_object(environ["CLUSTER_SPEC"], "CLUSTER_SPEC")
    try:
        return _replica_layout(spec["cluster"], spec["task"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError("CLUSTER_SPEC doesn't say which replica this is.") from error


def _replica_layout(cluster: Mapping[str, Any], task: Mapping[str, Any]) -> Layout:
    pools = sorted(cluster, key=lambda name: int(name.removeprefix(_POOL)))
    before = sum(len(cluster[name]) for name in pools[: pools.index(task["type"])])
    addresses = [address for name in pools for address in cluster[name]]
    _, _, port = addresses[0].partition(":")
    hosts = [address.partition(":")[0] for address in addresses]
    return node_layout(hosts, before + int(task["index"]), int(port or DEFAULT_PORT))
