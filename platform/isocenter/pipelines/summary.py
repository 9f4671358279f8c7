"""What came of a pipeline, as one JSON object."""

from collections.abc import Sequence
from typing import Any

from isocenter.domain.evaluation import EvaluationReport
from isocenter.errors import GateFailedError, IsocenterError
from isocenter.home import Home
from isocenter.pipelines.reuse import Origin, origins
from isocenter.pipelines.step import StepResult, StepState
from isocenter.storage.artifacts import ArtifactStore


def summarise(home: Home, name: str, results: Sequence[StepResult]) -> dict[str, Any]:
    """The registered model, its figures and papers, and the state of each step.

    Args:
        home: the store.
        name: the model's name.
        results: of the six steps of the training pipeline.
    """
    outputs = {result.name: result.outputs for result in results}
    registered = outputs["register"]
    bundle = ArtifactStore(home).path(registered["bundle"]["digest"])
    evaluation = EvaluationReport.model_validate_json((bundle / "evaluation.json").read_bytes())
    return {
        "model": name,
        "version": registered["number"],
        "reference": registered["reference"],
        "digest": registered["bundle"]["digest"],
        "dataset": outputs["ingest"]["dataset"],
        "metrics": {key: estimate.model_dump() for key, estimate in evaluation.metrics.items()},
        "bundle": str(bundle),
        "report": str(bundle / "report.html"),
        "card": str(bundle / "model_card.md"),
        "card_missing": registered["card_missing"],
        "quarantined": outputs["ingest"]["quarantined"],
        "warnings": outputs["validate"]["warnings"],
        "gate": outputs["gate"]["checks"],
        "steps": step_rows(home, results),
        "nothing_to_do": all(result.state is StepState.CACHED for result in results),
    }


def step_rows(home: Home, results: Sequence[StepResult]) -> list[dict[str, Any]]:
    """What came of each step; of a job that was not run again, in which run it was done, where and by what.

    Args:
        home: the store.
        results: of the steps so far.
    """
    cached = {result.name: result.outputs for result in results if result.state is StepState.CACHED}
    found = origins(home, cached)
    return [_step(result, found.get(result.name)) for result in results]


def rows_so_far(
    home: Home, names: Sequence[str], results: Sequence[StepResult], error: IsocenterError
) -> list[dict[str, Any]]:
    """The same of a pipeline that a step ended: that step is ``refused`` or ``failed``, the rest ``skipped``.

    Args:
        home: the store.
        names: of all its steps.
        results: of the steps before.
        error: how it ended.
    """
    ended = "refused" if isinstance(error, GateFailedError) else "failed"
    missing = [*names[len(results) :]]
    states = [ended, *["skipped"] * (len(missing) - 1)]
    nothing = {"seconds": None, "result": "", "key": "", "reused": None}
    rest = [{"step": name, "state": state, **nothing} for name, state in zip(missing, states, strict=True)]
    return [*step_rows(home, results), *rest]


def _step(result: StepResult, origin: Origin | None) -> dict[str, Any]:
    return {
        "step": result.name,
        "state": result.state.value,
        "seconds": round(result.seconds, 3),
        "result": _digest_of(result),
        "key": result.key,
        "reused": None if origin is None else {**origin.as_json(), "sentence": origin.sentence(result.name)},
    }


def _digest_of(result: StepResult) -> str:
    outputs = result.outputs
    for part in ("bundle", "model", "output", "report"):
        if isinstance(outputs.get(part), dict) and "digest" in outputs[part]:
            return str(outputs[part]["digest"])
    return str(outputs.get("dataset", "passed" if outputs.get("passed") else ""))
