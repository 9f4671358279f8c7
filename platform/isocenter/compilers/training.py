"""The training pipeline as a neutral spec, made once from what the user asks."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from isocenter.compilers.spec import (
    DATASET,
    EXECUTION,
    Parameter,
    PipelineSpec,
    PipelineStep,
    Place,
    Retry,
    Source,
    When,
)
from isocenter.domain.digest import digest_json
from isocenter.domain.training_job import TrainingJob
from isocenter.pipelines.job_identity import what_runs
from isocenter.pipelines.request_document import as_document
from isocenter.pipelines.training_request import TrainingRequest

_BY_HAND = "by-hand"
_PLATFORM_TIMEOUT_S = 1800
_JOB_RETRY = Retry(times=2, wait_s=60, factor=2.0)
_PLATFORM_RETRY = Retry(times=2, wait_s=30, factor=2.0)


def training_pipeline(
    request: TrainingRequest, *, code: str, image: str | None = None, dataset: str | None = None
) -> PipelineSpec:
    """The six steps for one request.

    Args:
        request: what the user asks.
        code: digest of the training program (:func:`isocenter.pipelines.source_identity.training_identity`).
        image: training image by digest, where the request names none; None for this Python environment.
        dataset: digest of the DatasetVersion that the pipeline starts with, if it is known.
    """
    steps: list[PipelineStep] = []
    for step in _steps(request, image):
        keys = [earlier.cache_key for earlier in steps if earlier.name in step.needs]
        steps.append(replace(step, cache_key=digest_json(_identity(step, code, keys))))
    return PipelineSpec(
        name=pipeline_name(request.name),
        description=f"From DICOM X-rays to a registered version of the model {request.name}.",
        steps=tuple(steps),
        parameters=_parameters(dataset),
        request=as_document(request),
        labels={"model": request.name},
    )


def pipeline_name(model: str) -> str:
    """Name of the pipeline that trains ``model``: letters, digits and hyphens, as every service allows."""
    return ("isocenter-" + re.sub(r"[^a-z0-9]+", "-", model)).strip("-")[:63].rstrip("-")


def _parameters(dataset: str | None) -> tuple[Parameter, ...]:
    digest = None if dataset is None else dataset.removeprefix("sha256:")
    return (
        Parameter(
            DATASET, "The DatasetVersion: 64 hex digits; it lies in the target's bucket of data.", digest
        ),
        Parameter(EXECUTION, "Names this execution; what it leaves for the site goes by it.", _BY_HAND),
    )


def _identity(step: PipelineStep, code: str, keys: list[str]) -> Mapping[str, Any]:
    """What decides the step's result but the parameters' values."""
    job = step.job
    return {
        "step": step.name,
        "needs": keys,
        "options": dict(step.options),
        "job": None
        if job is None
        else {
            "command": list(job.command),
            "parameters": dict(job.parameters),
            **what_runs(job.image, job.compute),
        },
        "code": code,
    }


def _steps(request: TrainingRequest, image: str | None) -> tuple[PipelineStep, ...]:
    dataset = Source(DATASET)
    acceptance = request.acceptance.model_dump(mode="json")
    train = _job(request, image, "train", {"plan": request.plan_json, "threads": request.threads})
    evaluate = _job(request, image, "evaluate", request.evaluation_parameters)
    evaluate = replace(evaluate, compute=replace(request.compute, nodes=1))
    left = {
        "model": Source("model", "train"),
        "output": Source("output", "train"),
        "evaluation": Source("output", "evaluate"),
    }
    return (
        PipelineStep("ingest", Place.SITE, retry=Retry(times=1), options=_ingest_options(request)),
        PipelineStep("validate", Place.SITE, ("ingest",), options={"image_size": request.plan.image_size}),
        _in_training("train", ("ingest", "validate"), train, {"dataset": dataset}, ("model", "output")),
        _in_training(
            "evaluate",
            ("ingest", "train"),
            evaluate,
            {"dataset": dataset, "model": Source("model", "train")},
            ("output",),
        ),
        PipelineStep(
            "gate",
            Place.PLATFORM,
            ("evaluate",),
            timeout_s=_PLATFORM_TIMEOUT_S,
            inputs={"evaluation": Source("output", "evaluate")},
            outputs=("verdict",),
            options={"acceptance": acceptance},
        ),
        PipelineStep(
            "register",
            Place.PLATFORM,
            ("train", "evaluate", "gate"),
            When.GATE_PASSED,
            retry=_PLATFORM_RETRY,
            timeout_s=_PLATFORM_TIMEOUT_S,
            cached=False,
            inputs={**left, "verdict": Source("verdict", "gate"), EXECUTION: Source(EXECUTION)},
            options={"name": request.name},
        ),
    )


def _in_training(
    name: str,
    needs: tuple[str, ...],
    job: TrainingJob,
    inputs: Mapping[str, Source],
    outputs: tuple[str, ...],
) -> PipelineStep:
    return PipelineStep(
        name,
        Place.TRAINING,
        needs,
        retry=_JOB_RETRY,
        timeout_s=job.compute.max_runtime_s,
        inputs=inputs,
        outputs=outputs,
        job=job,
    )


def _job(
    request: TrainingRequest, image: str | None, program: str, parameters: Mapping[str, Any]
) -> TrainingJob:
    return TrainingJob(
        name=program,
        command=(program,),
        parameters=dict(parameters),
        image=request.image or image,
        compute=request.compute,
        labels={"model": request.name},
    )


def _ingest_options(request: TrainingRequest) -> Mapping[str, Any]:
    return {"classes": list(request.classes), "image_size": request.plan.image_size}
