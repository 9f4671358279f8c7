"""A pipeline as kfp's intermediate representation, which Vertex AI and Kubeflow Pipelines both take.

Written by us from pipeline_spec.proto, not by the kfp SDK, which fits beside none of our pinned packages
(docs/decisions/pipelines.md); kfp's own loader and compiler check it in the tests.
https://github.com/kubeflow/pipelines/blob/master/api/v2alpha1/pipeline_spec.proto
"""

from collections.abc import Mapping
from typing import Any

from isocenter.compilers.container import (
    PLATFORM_PROGRAM,
    TRAINING_PROGRAM,
    base_uri,
    checkpoints_uri,
    dataset_uri,
    image_of,
    platform_arguments,
    refuse_clusters,
    registration_uri,
    timed,
    training_arguments,
    variables,
)
from isocenter.compilers.spec import DATASET, EXECUTION, Parameter, PipelineSpec, PipelineStep, Place, Source
from isocenter.targets.descriptor import DeploymentDescriptor

_SCHEMA = "2.1.0"
_LONGEST_WAIT = "3600s"
_ARTIFACT = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
# Of the services' own schemas: what shows a model as one.
_MODEL = {"artifactType": {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"}}

_Json = dict[str, Any]


def pipeline_ir(
    spec: PipelineSpec, target: DeploymentDescriptor, resources: Mapping[str, Mapping[str, Any]]
) -> _Json:
    """The PipelineSpec message as JSON.

    Args:
        spec: the pipeline.
        target: where it will run.
        resources: step -> its ResourceSpec; a step that isn't there takes what the service gives.

    Raises:
        InputError: a step asks for what a container step can't have.
    """
    steps = spec.in_service
    return {
        "pipelineInfo": {"name": spec.name, "description": spec.description},
        "schemaVersion": _SCHEMA,
        "sdkVersion": "isocenter",
        "defaultPipelineRoot": base_uri(target, spec.name),
        "root": {
            "inputDefinitions": {"parameters": {p.name: _parameter(p) for p in spec.parameters}},
            "dag": {"tasks": {step.name: _task(step) for step in steps}},
        },
        "components": {f"comp-{step.name}": _component(step) for step in steps},
        "deploymentSpec": {
            "executors": {
                f"exec-{step.name}": {"container": _container(spec, step, target, resources.get(step.name))}
                for step in steps
            }
        },
    }


def _parameter(parameter: Parameter) -> _Json:
    written: _Json = {"parameterType": "STRING", "description": parameter.description}
    if parameter.default is not None:
        written |= {"defaultValue": parameter.default, "isOptional": True}
    return written


def _needed_parameters(step: PipelineStep) -> list[str]:
    names = {source.name for source in step.inputs.values() if source.step is None}
    return sorted(names)


def _artifacts(step: PipelineStep) -> dict[str, Source]:
    return {channel: source for channel, source in sorted(step.inputs.items()) if source.step is not None}


def _task(step: PipelineStep) -> _Json:
    inputs: _Json = {}
    if names := _needed_parameters(step):
        inputs["parameters"] = {name: {"componentInputParameter": name} for name in names}
    if artifacts := _artifacts(step):
        inputs["artifacts"] = {
            channel: {"taskOutputArtifact": {"producerTask": source.step, "outputArtifactKey": source.name}}
            for channel, source in artifacts.items()
        }
    caching = {"enableCache": True, "cacheKey": step.cache_key} if step.cached else {}
    task: _Json = {
        "taskInfo": {"name": step.name},
        "componentRef": {"name": f"comp-{step.name}"},
        "inputs": inputs,
        "cachingOptions": caching,
    }
    if step.needs:
        task["dependentTasks"] = list(step.needs)
        task["triggerPolicy"] = {"strategy": "ALL_UPSTREAM_TASKS_SUCCEEDED"}
    if step.retry.times:
        task["retryPolicy"] = {
            "maxRetryCount": step.retry.times,
            "backoffDuration": f"{step.retry.wait_s}s",
            "backoffFactor": step.retry.factor,
            "backoffMaxDuration": _LONGEST_WAIT,
        }
    return task


def _component(step: PipelineStep) -> _Json:
    written: _Json = {"executorLabel": f"exec-{step.name}", "inputDefinitions": {}}
    if names := _needed_parameters(step):
        written["inputDefinitions"]["parameters"] = {name: {"parameterType": "STRING"} for name in names}
    if artifacts := _artifacts(step):
        written["inputDefinitions"]["artifacts"] = {
            channel: _artifact_type(source.name) for channel, source in artifacts.items()
        }
    if step.outputs:
        written["outputDefinitions"] = {"artifacts": {name: _artifact_type(name) for name in step.outputs}}
    return written


def _artifact_type(name: str) -> _Json:
    return _MODEL if name == "model" else _ARTIFACT


def _container(
    spec: PipelineSpec, step: PipelineStep, target: DeploymentDescriptor, resources: Mapping[str, Any] | None
) -> _Json:
    refuse_clusters(step, "kfp")
    is_training = step.place is Place.TRAINING
    program = [TRAINING_PROGRAM] if is_training else list(PLATFORM_PROGRAM)
    written: _Json = {
        "image": image_of(step, target),
        "command": timed(program, step),
        "args": _training(spec, step, target) if is_training else _platform(spec, step, target),
        "env": [{"name": name, "value": value} for name, value in sorted(variables(step).items())],
    }
    if resources:
        written["resources"] = dict(resources)
    return written


def _training(spec: PipelineSpec, step: PipelineStep, target: DeploymentDescriptor) -> list[str]:
    dataset = _value(DATASET)
    inputs = {channel: _input(channel) for channel in _artifacts(step)}
    inputs[DATASET] = dataset_uri(target, dataset)
    outputs = {name: _output(name) for name in step.outputs}
    # What a step isn't asked for it leaves beside what it is asked for.
    outputs.setdefault("model", outputs["output"] + "/model")
    outputs["checkpoints"] = checkpoints_uri(target, spec, step, dataset)
    return training_arguments(step, inputs, outputs)


def _platform(spec: PipelineSpec, step: PipelineStep, target: DeploymentDescriptor) -> list[str]:
    inputs = {channel: _input(channel) for channel in _artifacts(step)}
    out = _output(step.outputs[0]) if step.outputs else registration_uri(target, spec.name, _value(EXECUTION))
    return platform_arguments(step, spec, inputs, out)


def _value(parameter: str) -> str:
    return f"{{{{$.inputs.parameters['{parameter}']}}}}"


def _input(channel: str) -> str:
    return f"{{{{$.inputs.artifacts['{channel}'].uri}}}}"


def _output(name: str) -> str:
    return f"{{{{$.outputs.artifacts['{name}'].uri}}}}"
