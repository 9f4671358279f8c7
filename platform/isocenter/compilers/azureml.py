"""An Azure ML pipeline job: the YAML that azure-ai-ml and ``az ml job create`` take.

https://learn.microsoft.com/azure/machine-learning/reference-yaml-job-pipeline
"""

import shlex
from typing import Any

import yaml

from isocenter.backends.azureml_request import PROGRAM
from isocenter.backends.machine_choice import choose_machine
from isocenter.compilers.base import CompiledPipeline
from isocenter.compilers.container import (
    ENVIRONMENT_FAULT,
    PLATFORM_PROGRAM,
    checkpoints_uri,
    dataset_uri,
    described,
    image_of,
    platform_arguments,
    registration_uri,
    timed,
    training_arguments,
    variables,
)
from isocenter.compilers.spec import DATASET, EXECUTION, PipelineSpec, PipelineStep, Place, Source
from isocenter.domain.training_job import Compute
from isocenter.errors import InputError
from isocenter.targets.descriptor import DeploymentDescriptor

_SCHEMA = "https://azuremlschemas.azureedge.net/latest/pipelineJob.schema.json"
_SERVERLESS = "azureml:serverless"
_NO_DATASET = "give-the-digest-of-a-dataset"

_Json = dict[str, Any]


def compile_azureml(spec: PipelineSpec, target: DeploymentDescriptor | None) -> CompiledPipeline:
    """See :class:`isocenter.compilers.base.Compiler`.

    Azure ML tries no command step again, so each step's own shell does, where the program says that the fault
    may pass (exit code 7).
    """
    descriptor = described(target, "azureml", "azure")
    job = {
        "$schema": _SCHEMA,
        "type": "pipeline",
        "display_name": spec.name,
        "experiment_name": spec.name,
        "description": spec.description,
        "tags": {**descriptor.labels, **spec.labels},
        "settings": {
            "default_compute": _SERVERLESS,
            "force_rerun": False,
            # What does not hang on the step that failed would go on otherwise.
            "continue_on_step_failure": False,
        },
        "inputs": {parameter.name: parameter.default or _NO_DATASET for parameter in spec.parameters},
        "jobs": {step.name: _node(spec, step, descriptor) for step in spec.in_service},
    }
    text = yaml.safe_dump(job, sort_keys=False, width=10_000)
    return CompiledPipeline("azureml", text, f"{spec.name}.azureml.yaml")


def _node(spec: PipelineSpec, step: PipelineStep, target: DeploymentDescriptor) -> _Json:
    compute = step.job.compute if step.job is not None else Compute()
    node: _Json = {
        "type": "command",
        "component": _component(spec, step, target),
        "inputs": {name: _bound(source) for name, source in sorted(step.inputs.items())},
        "outputs": {name: _output(spec, step, name, target) for name in step.outputs},
        "environment_variables": _variables(step, target),
        **_machine(compute, target),
    }
    if step.timeout_s is not None:
        node["limits"] = {"timeout": step.timeout_s * (step.retry.times + 1)}
    if identity := target.identities.get("training"):
        node["identity"] = {"type": "managed", "client_id": identity}
    if compute.nodes > 1:
        node["distribution"] = {"type": "pytorch", "process_count_per_instance": max(1, compute.gpu_count)}
    return node


def _component(spec: PipelineSpec, step: PipelineStep, target: DeploymentDescriptor) -> _Json:
    files, strings = {"type": "uri_folder"}, {"type": "string"}
    return {
        "type": "command",
        "name": step.name,
        "version": step.cache_key.removeprefix("sha256:")[:12],
        "is_deterministic": step.cached,
        "environment": {"image": image_of(step, target)},
        "inputs": {
            name: strings if source.step is None else files for name, source in sorted(step.inputs.items())
        },
        "outputs": dict.fromkeys(step.outputs, files),
        "command": _patient(_command(spec, step, target), step),
    }


def _command(spec: PipelineSpec, step: PipelineStep, target: DeploymentDescriptor) -> list[str]:
    inputs = {name: f"${{{{inputs.{name}}}}}" for name in step.inputs}
    outputs = {name: f"${{{{outputs.{name}}}}}" for name in step.outputs}
    if step.place is Place.TRAINING:
        dataset = inputs[DATASET]
        inputs[DATASET] = dataset_uri(target, dataset)
        outputs.setdefault("model", outputs["output"] + "/model")
        outputs["checkpoints"] = checkpoints_uri(target, spec, step, dataset)
        return timed([*PROGRAM, *training_arguments(step, inputs, outputs)], step)
    execution = inputs.pop(EXECUTION, "")
    out = next(iter(outputs.values()), "") or registration_uri(target, spec.name, execution)
    return timed([*PLATFORM_PROGRAM, *platform_arguments(step, spec, inputs, out)], step)


def _patient(command: list[str], step: PipelineStep) -> str:
    """One line of shell that runs ``command``, and again after a fault of the environment."""
    line = " ".join(_quoted(word) for word in command)
    waits = [round(step.retry.wait_s * step.retry.factor**number) for number in range(step.retry.times)]
    if not waits:
        return line
    again = f"code=$?; [ $code -eq {ENVIRONMENT_FAULT} ] || exit $code; sleep $wait"
    return f"for wait in {' '.join(map(str, waits))}; do {line} && exit 0; {again}; done; {line}"


def _quoted(word: str) -> str:
    """Azure ML puts values in before the shell reads the line: no quotes may stand in the binding itself."""
    return shlex.quote(word)


def _bound(source: Source) -> str:
    if source.step is None:
        return f"${{{{parent.inputs.{source.name}}}}}"
    return f"${{{{parent.jobs.{source.step}.outputs.{source.name}}}}}"


def _output(spec: PipelineSpec, step: PipelineStep, name: str, target: DeploymentDescriptor) -> _Json:
    """In the datastore of models: ``${{name}}`` is the job's own name there."""
    written: _Json = {"type": "uri_folder", "mode": "rw_mount"}
    if store := target.settings.get("datastores", {}).get("models"):
        place = f"{spec.name}/{step.name}/${{{{name}}}}/{name}"
        written["path"] = f"azureml://datastores/{store}/paths/pipelines/{place}"
    return written


def _variables(step: PipelineStep, target: DeploymentDescriptor) -> dict[str, str]:
    identity = target.identities.get("training")
    # Which of the machine's identities the SDKs' standard chain takes.
    return {**variables(step), **({"AZURE_CLIENT_ID": identity} if identity else {})}


def _machine(compute: Compute, target: DeploymentDescriptor) -> _Json:
    if not compute.gpu_count:
        if compute.spot or compute.nodes > 1:
            raise InputError(f"{target.name} has no cluster of machines without GPU.", hint="--gpu SIZE")
        machine = choose_machine(target, compute).managed
        return {"compute": _SERVERLESS, "resources": {"instance_count": 1, "instance_type": machine}}
    choose_machine(target, compute)
    asked = (compute.gpu, compute.gpu_count, compute.spot)
    for cluster in target.settings.get("clusters", ()):
        if (cluster["size"], cluster["per_node"], bool(cluster.get("spot"))) == asked:
            return {"compute": f"azureml:{cluster['name']}", "resources": {"instance_count": compute.nodes}}
    spot = "interruptible " if compute.spot else ""
    raise InputError(f"{target.name} has no {spot}cluster with {compute.gpu} x {compute.gpu_count}.")
