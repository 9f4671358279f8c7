"""One step of a pipeline by itself, for those who run the steps one by one (Airflow, a shell)."""

from collections.abc import Sequence

from isocenter.errors import InputError
from isocenter.pipelines.records import Records
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
    names = [step.name for step in steps]
    if name not in names:
        raise InputError(f"The pipeline has no step {name!r}.", hint=f"Steps: {', '.join(names)}.")
    before = steps[: names.index(name)]
    done = results_so_far(runner.records, before)
    if len(done) < len(before):
        missing = before[len(done)].name
        raise InputError(
            f"The step {name} needs {missing}, which has not been done for this data and plan.",
            hint=f"isocenter pipeline step {missing} does it.",
        )
    result = runner.bring_about(steps[len(before)], done)
    runner.observer.step_ended(result)
    return result


def results_so_far(records: Records, steps: Sequence[Step]) -> dict[str, Outputs]:
    """Outputs of the steps that have been done for these inputs, up to the first that has not."""
    done: dict[str, Outputs] = {}
    for step in steps:
        found = records.cache.get(step.key(done))
        if found is None or not step.still_there(found):
            break
        done[step.name] = found
    return done
