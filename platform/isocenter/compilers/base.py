"""What a compiler is, what it gives, and finding one by the name of its format."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from isocenter.compilers.spec import PipelineSpec
from isocenter.domain.digest import digest_bytes
from isocenter.errors import InputError
from isocenter.targets.descriptor import DeploymentDescriptor


@dataclass(frozen=True)
class CompiledPipeline:
    """A pipeline in a service's own format.

    Args:
        format: one of ``FORMATS``.
        text: the whole file.
        file_name: what it should be called.
    """

    format: str
    text: str
    file_name: str

    @property
    def digest(self) -> str:
        """Digest of the text."""
        return digest_bytes(self.text.encode())


class Compiler(Protocol):
    """Writes pipelines in one format. Pure: no network, credentials, clock or disk."""

    def __call__(self, spec: PipelineSpec, target: DeploymentDescriptor | None) -> CompiledPipeline:
        """``spec`` in this format.

        Args:
            spec: the pipeline.
            target: where it will run; None for this machine.

        Raises:
            InputError: the service can't run such a pipeline, or the target lacks something that it needs.
        """
        ...


FORMATS: Mapping[str, str] = {
    "airflow": "isocenter.compilers.airflow:compile_airflow",
    "azureml": "isocenter.compilers.azureml:compile_azureml",
    "kubeflow": "isocenter.compilers.kubeflow:compile_kubeflow",
    "local": "isocenter.compilers.local:compile_local",
    "sagemaker": "isocenter.compilers.sagemaker:compile_sagemaker",
    "vertex": "isocenter.compilers.vertex:compile_vertex",
}
# Backend of a target -> the format of its service's own pipelines.
_OF_BACKEND: Mapping[str, str] = {"kubernetes": "kubeflow"}


def format_for(backend: str) -> str:
    """The format of the pipelines of the service that ``backend`` talks to."""
    return _OF_BACKEND.get(backend, backend)


def load_compiler(format_: str) -> Compiler:
    """The compiler of a format.

    Raises:
        InputError: there is no such format.
    """
    if format_ not in FORMATS:
        raise InputError(f"There is no pipeline format {format_!r}.", hint=f"Formats: {', '.join(FORMATS)}.")
    module, _, name = FORMATS[format_].partition(":")
    return cast(Compiler, getattr(importlib.import_module(module), name))
