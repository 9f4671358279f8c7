"""Trying a training plan on this machine before a machine is rented for it.

The platform does not import the training program: the one installed beside it is asked, in a process of
its own, to build the plan's parts. A plan that passed is not tried again.
"""

import subprocess
import sys

from isocenter.domain.digest import digest_json
from isocenter.domain.training_job import Compute
from isocenter.domain.training_plan import TrainingPlan
from isocenter.errors import InputError
from isocenter.pipelines.source_identity import training_identity
from isocenter.registry.step_cache import StepCache

_CHECK = (sys.executable, "-P", "-m", "isocenter_training.plan_check")
_LONGEST_S = 600
# Whatever they are within the plan's own bounds, the parts can be built.
_DECIDES_NOTHING = frozenset(("name", "description", "task", "schedule", "budget", "precision", "seed"))


def try_plan(plan: TrainingPlan, compute: Compute, cache: StepCache) -> str:
    """Refuse a plan that can't be trained.

    Args:
        plan: what is to be trained.
        compute: on what.
        cache: of the store; knows the plans that passed.

    Returns:
        why the plan was not tried; empty where it was.

    Raises:
        InputError: a part of it can't be built, or its batch can't be shared by the machines.
    """
    _refuse_small_batch(plan, compute)
    parts = plan.model_dump(mode="json", exclude=set(_DECIDES_NOTHING))
    key = digest_json({"trial": parts, "code": training_identity()})
    if cache.get(key) is not None:
        return ""
    try:
        done = subprocess.run(
            _CHECK,
            input=plan.model_dump_json(),
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"The plan's parts could not be built here in {_LONGEST_S} s."
    said = (done.stderr.strip().splitlines() or ["it said nothing."])[-1]
    if done.returncode == InputError.exit_code:
        raise InputError(said, hint="The training program installed here was asked; nothing was sent.")
    if done.returncode != 0:
        return said
    cache.put(key, "plan-trial", {})
    return ""


def _refuse_small_batch(plan: TrainingPlan, compute: Compute) -> None:
    processes = compute.nodes * max(compute.gpu_count, 1)
    if plan.budget.batch_size < processes:
        what = f"{processes} GPUs" if compute.gpu_count else f"{processes} machines"
        raise InputError(
            f"{what} can't share a batch of {plan.budget.batch_size} images (the plan's budget.batch_size).",
            hint=f"--set budget.batch_size={processes} or more, or fewer of them.",
        )
