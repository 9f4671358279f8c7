"""Apply a saved plan, and leave the descriptor behind."""

from collections.abc import Callable

from isocenter.storage.atomic import write_bytes
from isocenter.targets.descriptor import DeploymentDescriptor
from isocenter_infra.change.check import Checked, place, synthesize_and_check
from isocenter_infra.change.intent import Intent
from isocenter_infra.change.interrupted import take_up
from isocenter_infra.change.plan import SavedPlan, load_plan, make_plan, read_record
from isocenter_infra.change.surroundings import Surroundings, surroundings
from isocenter_infra.descriptor import OUTPUT, parse_descriptor
from isocenter_infra.terraform.plan_summary import summarise
from isocenter_infra.terraform.workspace import Listener

Notice = Callable[[str], None]


def plan_change(
    intent: Intent, checked: Checked, notice: Notice, listen: Listener, *, to_apply: bool
) -> tuple[SavedPlan, Surroundings]:
    """Plan the checked stack, and say where; with ``to_apply`` the plan is applied next, else only looked at.

    Raises:
        PolicyError: a check failed.
        IsocenterError: Terraform failed, explained.
    """
    checked.require()
    around = surroundings(intent, checked.document, notice)
    saved = make_plan(
        intent,
        checked,
        around.document,
        around.left_out,
        around.workspace,
        notice,
        listen,
        to_apply=to_apply,
    )
    return saved, around


def reopen_plan(intent: Intent, digest: str, notice: Notice) -> tuple[SavedPlan, Surroundings]:
    """A plan that was made and approved before, ready to be applied.

    The stack is synthesized and checked again: the plan must be of this very document.

    Args:
        intent: whose plan it is.
        digest: that was approved; empty: the record's own.
        notice: is told what takes long.

    Raises:
        IntegrityError: the plan was changed, or the sources or settings were since, or an apply was
            interrupted, which no plan from before it may follow.
        PolicyError: a check failed, or the plan would shorten a retention.
    """
    from isocenter.domain.digest import digest_bytes
    from isocenter.errors import IntegrityError
    from isocenter_infra.synthesis import as_text

    # What can be told at once is told before the stack is synthesized, which takes long.
    read_record(intent.plans, target=intent.target, digest=digest)
    checked = synthesize_and_check(intent, notice)
    checked.require()
    around = surroundings(intent, checked.document, notice)
    place(around.document, around.workspace.folder)
    around.workspace.init()
    saved = load_plan(intent.plans, target=intent.target, digest=digest, show=around.workspace.show)
    if saved.record.document != digest_bytes(as_text(around.document)):
        raise IntegrityError(
            "The plan was made from other sources or settings than those here.",
            hint="Check out the commit that was planned, or make a new plan.",
        )
    # Applied to a state that lacks what was made, the plan would make it once more.
    if take_up(around.document, around.workspace, notice):
        raise IntegrityError(
            "The last apply was interrupted, and this plan doesn't know what it made: it was not applied.",
            hint="What was left is in order now: make a new plan, have it looked at, and deploy that one.",
        )
    return saved, around


def apply_plan(
    intent: Intent, saved: SavedPlan, around: Surroundings, listen: Listener
) -> DeploymentDescriptor:
    """Apply ``saved`` and write the descriptor.

    An apply that was interrupted can be planned and applied again: what was made is in the state.

    Raises:
        IsocenterError: Terraform failed, explained.
        IntegrityError: the stack's output is no descriptor.
    """
    if not saved.is_empty:
        around.workspace.apply(saved.file.absolute(), listen)
    return write_descriptor(intent, around)


def write_descriptor(intent: Intent, around: Surroundings) -> DeploymentDescriptor:
    """Write what Terraform made as the target's descriptor, ``deployments/<target>.json``."""
    printed = around.workspace.output(OUTPUT)
    descriptor = parse_descriptor(
        printed,
        name=intent.target,
        emulated=intent.emulate,
        left_out=dict(around.left_out),
        endpoints=dict(around.endpoints),
    )
    write_bytes(intent.descriptor, descriptor.model_dump_json(indent=2).encode() + b"\n")
    return descriptor


def count_left(intent: Intent, around: Surroundings, listen: Listener) -> int:
    """How many resources a plan of what was just applied would change; the plan is not kept.

    Raises:
        IsocenterError: Terraform failed, explained.
    """
    file = (intent.folder / "again.tfplan").absolute()
    try:
        is_left = around.workspace.plan(file, listen)
        return len(summarise(around.workspace.show(file))) if is_left else 0
    finally:
        file.unlink(missing_ok=True)
