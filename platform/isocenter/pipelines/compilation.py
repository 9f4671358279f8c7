"""The pipeline of one request for one target, in a service's format."""

from isocenter.compilers.base import CompiledPipeline, format_for, load_compiler
from isocenter.compilers.spec import PipelineSpec
from isocenter.compilers.training import training_pipeline
from isocenter.pipelines.job_identity import training_image
from isocenter.pipelines.source_identity import training_identity
from isocenter.pipelines.training_request import TrainingRequest
from isocenter.targets import Target


def compile_pipeline(
    request: TrainingRequest, place: Target, dataset: str | None, format_: str | None = None
) -> tuple[PipelineSpec, CompiledPipeline]:
    """The neutral pipeline and what a compiler makes of it.

    Args:
        request: what the user asks.
        place: the target.
        dataset: digest of the DatasetVersion that it starts with, if known.
        format_: see ``isocenter.compilers.base.FORMATS``; None for that of the target's own service.

    Raises:
        InputError: no such format, or the target or its service can't run this.
    """
    image = training_image(place.settings)
    spec = training_pipeline(request, code=training_identity(), image=image, dataset=dataset)
    return spec, load_compiler(format_ or format_for(place.backend))(spec, place.descriptor)
