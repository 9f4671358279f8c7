"""One step of a pipeline by itself, for those who run the steps one by one (Airflow, a shell)."""

from collections.abc import Sequence

from isocenter.errors import InputError
from isocenter.pipelines.runner import Runner
from isocenter.pipelines.step import Outputs, Step, StepResult


def run_one_step(runner: Runner, steps: Sequence[Step], name: str) -> StepResult:
    """Bring about the step called ``name``; those before it must have been done.

    Args:
        runner: of the store.
        steps: of the pipeline, in order.
        name: of one of them.

    Raises:
        InputError: a step before it has not been done for these inputs.
        IsocenterError: the step failed.
    """
    results: dict[str, Outputs] = {}
    for step in steps:
        if step.name == name:
            result = runner.bring_about(step, results)
            runner.observer.step_ended(result)
            return result
        found = runner.records.cache.get(step.key(results))
        if found is None or not step.still_there(found):
            raise InputError(
                f"The step {name} needs {step.name}, which has not been done for this data and plan.",
                hint=f"isocenter pipeline step {step.name} does it.",
            )
        results[step.name] = found
    raise InputError(f"The pipeline has no step {name!r}.", hint=f"Steps: {', '.join(s.name for s in steps)}.")
