"""A SageMaker Pipelines definition.

Written by us from the published schema, not by the sagemaker SDK, which fits beside none of our pinned
packages (docs/decisions/pipelines.md). A step's arguments are those of CreateTrainingJob and
CreateProcessingJob without the job's name, which SageMaker makes.
https://aws-sagemaker-mlops.github.io/sagemaker-model-building-pipeline-definition-JSON-schema/
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from isocenter.backends.machine_choice import choose_machine
from isocenter.backends.place import job_labels
from isocenter.backends.sagemaker_request import CHECKPOINTS, REQUEST_DIGEST, training_request
from isocenter.compilers.base import CompiledPipeline
from isocenter.compilers.container import (
    PLATFORM_PROGRAM,
    base_uri,
    checkpoints_uri,
    dataset_uri,
    described,
    image_of,
    platform_arguments,
    registration_uri,
    short,
    variables,
)
from isocenter.compilers.spec import (
    DATASET,
    EXECUTION,
    Parameter,
    PipelineSpec,
    PipelineStep,
    Place,
    Retry,
    Source,
)
from isocenter.domain.run import RunId
from isocenter.domain.training_job import Compute
from isocenter.targets.descriptor import DeploymentDescriptor

_VERSION = "2020-12-01"
_CACHED_FOR = "P30D"
_LONGEST_ARGUMENT = 256
_VOLUME_GIB = 30
_WORK = "/opt/ml/processing"
# What SageMaker may try again: faults of its own. A program that failed would fail again.
# https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-retry-policy.html
_OF_STEP = ["Step.SERVICE_FAULT", "Step.THROTTLING"]
_OF_JOB = ["SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT"]

_Json = dict[str, Any]


def compile_sagemaker(spec: PipelineSpec, target: DeploymentDescriptor | None) -> CompiledPipeline:
    """See :class:`isocenter.compilers.base.Compiler`."""
    descriptor = described(target, "sagemaker", "aws")
    definition = {
        "Version": _VERSION,
        "Metadata": {"isocenter": spec.description},
        "Parameters": [_parameter(parameter) for parameter in spec.parameters],
        "Steps": [_Writer(spec, descriptor).step(step) for step in spec.in_service],
    }
    text = json.dumps(definition, indent=2, sort_keys=False) + "\n"
    return CompiledPipeline("sagemaker", text, f"{spec.name}.sagemaker.json")


def _parameter(parameter: Parameter) -> _Json:
    default = {} if parameter.default is None else {"DefaultValue": parameter.default}
    return {"Name": parameter.name, "Type": "String", **default}


def _get(name: str) -> _Json:
    return {"Get": name}


def _join(on: str, *values: Any) -> _Json:
    return {"Std:Join": {"On": on, "Values": list(values)}}


class _Writer:
    def __init__(self, spec: PipelineSpec, descriptor: DeploymentDescriptor) -> None:
        self._spec, self._descriptor = spec, descriptor
        self._dataset = _get(f"Parameters.{DATASET}")

    def step(self, step: PipelineStep) -> _Json:
        """One step of the definition."""
        is_training = step.place is Place.TRAINING
        written: _Json = {
            "Name": step.name,
            "Type": "Training" if is_training else "Processing",
            "Arguments": self._training(step) if is_training else self._processing(step),
        }
        if step.needs:
            written["DependsOn"] = list(step.needs)
        if step.cached:
            written["CacheConfig"] = {"Enabled": True, "ExpireAfter": _CACHED_FOR}
        if step.retry.times:
            written["RetryPolicies"] = [_retry(step.retry, _OF_STEP), _retry(step.retry, _OF_JOB)]
        return written

    def _training(self, step: PipelineStep) -> _Json:
        """What the backend would ask for the same job, with the places of a pipeline."""
        job = replace(step.training_job, image=image_of(step, self._descriptor))
        run = RunId(f"{step.name}-{short(step.cache_key)}")
        written = training_request(self._descriptor, self._descriptor.settings, job, run)
        # The name and the run's tag are SageMaker's here; the digest is of a request that isn't this one.
        written.pop("TrainingJobName")
        written["Tags"] = [tag for tag in written["Tags"] if tag["Key"] != "isocenter-run"]
        written["Environment"].pop(REQUEST_DIGEST, None)
        written["Environment"] |= variables(step)
        written["InputDataConfig"] = [
            _channel(name, self._place(source)) for name, source in sorted(step.inputs.items())
        ]
        written["OutputDataConfig"]["S3OutputPath"] = f"{base_uri(self._descriptor, self._spec.name)}/jobs"
        written["CheckpointConfig"] = {
            "S3Uri": _join(
                "/", checkpoints_uri(self._descriptor, self._spec, step, "").rstrip("/"), self._dataset
            ),
            "LocalPath": CHECKPOINTS,
        }
        return written

    def _place(self, source: Source) -> _Json:
        """Where an input lies."""
        if source.step is None:
            return _join("/", dataset_uri(self._descriptor, "").rstrip("/"), self._dataset, "")
        if source.name == "model":
            return _get(f"Steps.{source.step}.ModelArtifacts.S3ModelArtifacts")
        if self._spec.step(source.step).place is Place.PLATFORM:
            output = f"ProcessingOutputConfig.Outputs['{source.name}'].S3Output.S3Uri"
            return _get(f"Steps.{source.step}.{output}")
        # A training job's second archive has no property of its own; its place follows from the job's name.
        path = _get(f"Steps.{source.step}.OutputDataConfig.S3OutputPath")
        return _join("/", path, _get(f"Steps.{source.step}.TrainingJobName"), "output", "output.tar.gz")

    def _processing(self, step: PipelineStep) -> _Json:
        descriptor, files = self._descriptor, self._files_of(step)
        here = {name: f"{_WORK}/input/{name}" for name in files}
        written: _Json = {
            "RoleArn": descriptor.identities["training"],
            "AppSpecification": {
                "ImageUri": image_of(step, descriptor),
                "ContainerEntrypoint": list(PLATFORM_PROGRAM),
                "ContainerArguments": platform_arguments(
                    step, self._spec, here, f"{_WORK}/output", piece=_LONGEST_ARGUMENT
                ),
            },
            "ProcessingInputs": [_input(name, place, here[name]) for name, place in files.items()],
            "ProcessingOutputConfig": {"Outputs": [self._output(step)]},
            "ProcessingResources": {"ClusterConfig": self._machine()},
            "StoppingCondition": {"MaxRuntimeInSeconds": step.timeout_s},
            "NetworkConfig": self._network(),
            "Environment": variables(step),
            "Tags": [
                {"Key": key, "Value": value}
                for key, value in sorted(job_labels(descriptor, RunId(""), self._spec.labels).items())
                if key != "isocenter-run"
            ],
        }
        if key := descriptor.keys.get("data"):
            written["ProcessingOutputConfig"]["KmsKeyId"] = key
            written["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] = key
        return written

    def _files_of(self, step: PipelineStep) -> dict[str, _Json]:
        channels = {name: source for name, source in sorted(step.inputs.items()) if source.step is not None}
        return {name: self._place(source) for name, source in channels.items()}

    def _output(self, step: PipelineStep) -> _Json:
        if step.outputs:
            # By what decides it, so that SageMaker sees the same request again and takes the earlier result.
            name, place = step.outputs[0], f"{step.name}/{short(step.cache_key)}"
            parts = (f"{base_uri(self._descriptor, self._spec.name)}/{place}", self._dataset)
        else:
            name = "registration"
            parts = (
                registration_uri(self._descriptor, self._spec.name, "").rstrip("/"),
                _get(f"Parameters.{EXECUTION}"),
            )
        s3 = {"S3Uri": _join("/", *parts), "LocalPath": f"{_WORK}/output", "S3UploadMode": "EndOfJob"}
        return {"OutputName": name, "S3Output": s3}

    def _machine(self) -> _Json:
        machine = choose_machine(self._descriptor, Compute())
        return {"InstanceType": machine.managed, "InstanceCount": 1, "VolumeSizeInGB": _VOLUME_GIB}

    def _network(self) -> _Json:
        network = self._descriptor.network
        written: _Json = {"EnableNetworkIsolation": True, "EnableInterContainerTrafficEncryption": True}
        if network.subnets:
            written["VpcConfig"] = {
                "Subnets": list(network.subnets),
                "SecurityGroupIds": list(network.security_groups),
            }
        return written


def _channel(name: str, place: Mapping[str, Any]) -> _Json:
    source = {"S3DataType": "S3Prefix", "S3Uri": place, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "InputMode": "File", "DataSource": {"S3DataSource": source}}


def _input(name: str, place: Mapping[str, Any], here: str) -> _Json:
    s3 = {
        "S3Uri": place,
        "LocalPath": here,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"InputName": name, "S3Input": s3}


def _retry(retry: Retry, exceptions: list[str]) -> _Json:
    return {
        "ExceptionType": exceptions,
        "IntervalSeconds": retry.wait_s,
        "BackoffRate": retry.factor,
        "MaxAttempts": retry.times,
    }
