"""A pod of a Job, a PyTorchJob or a TrainJob: as on this machine, with URIs or mounted volumes.

The rank comes from torchrun, else it is the index of an Indexed Job's pod
(https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode). The reason of a failure
goes to the pod's termination message
(https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/).
"""

from collections.abc import Mapping
from pathlib import Path

from isocenter_training.contract.arguments import Arguments
from isocenter_training.contract.assignment import Assignment, assign
from isocenter_training.contract.layout import read_number, torchrun_layout

NAME = "kubernetes"
_TERMINATION_LOG = "/dev/termination-log"


def recognise(environ: Mapping[str, str]) -> str:
    """See :class:`.Service`."""
    return "KUBERNETES_SERVICE_HOST" if environ.get("KUBERNETES_SERVICE_HOST") else ""


def assignment(environ: Mapping[str, str], arguments: Arguments) -> Assignment:
    """See :class:`.Service`. WORLD_SIZE and MASTER_ADDR must be set where there are several pods."""
    index = read_number(environ, "JOB_COMPLETION_INDEX", 0)
    several = read_number(environ, "WORLD_SIZE", 1) > 1
    return assign(NAME, environ, arguments, torchrun_layout(environ, rank=index if several else 0))


def failure_file(environ: Mapping[str, str]) -> Path | None:
    """See :class:`.Service`. The pod's ``terminationMessagePath``; the kubelet makes the file."""
    named = environ.get("ISOCENTER_TERMINATION_LOG")
    path = Path(named or _TERMINATION_LOG)
    return path if named or path.exists() else None
