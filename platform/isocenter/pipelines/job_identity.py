"""What decides a job's result beside its inputs and parameters: its program, and the kind of its machines.

The same for the steps that are run from here and for those of compiled pipelines. Target, spot and time limit
are not in it: by the container contract they don't change what a job makes
(docs/decisions/pipeline-cache.md).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from isocenter.domain.training_job import Compute
from isocenter.pipelines.training_request import TrainingRequest


def what_runs(image: str | None, compute: Compute) -> dict[str, Any]:
    """The image's digest (None: the program installed here), and GPU size, count and machines, as JSON."""
    return {
        "image": None if image is None else image.rpartition("@")[2],
        "gpu": compute.gpu,
        "gpu_count": compute.gpu_count,
        "nodes": compute.nodes,
    }


def training_image(settings: Mapping[str, Any]) -> str | None:
    """The training image of a target with these settings; None where the program installed here runs."""
    return settings.get("images", {}).get("training") or None


def naming_its_image(request: TrainingRequest, settings: Mapping[str, Any]) -> TrainingRequest:
    """``request`` with the image that its jobs will run: its own, else that of a target with ``settings``."""
    return replace(request, image=request.image or training_image(settings))
