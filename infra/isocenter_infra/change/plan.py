"""A saved plan: what was checked, what would change, and the digest by which it is approved."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from isocenter.domain.digest import digest_bytes, digest_file, digest_json
from isocenter.domain.field_faults import field_faults
from isocenter.errors import InputError, IntegrityError, PolicyError
from isocenter.storage.atomic import write_bytes
from isocenter_infra.change.check import Checked, place
from isocenter_infra.change.intent import Intent
from isocenter_infra.change.interrupted import cannot_plan, take_up, tell
from isocenter_infra.change.plan_page import page
from isocenter_infra.change.retention_guard import refuse_shorter_retention
from isocenter_infra.synthesis import as_text
from isocenter_infra.terraform.plan_summary import Change, count, summarise
from isocenter_infra.terraform.workspace import Listener, Workspace

Notice = Callable[[str], None]
_PLAN, _RECORD, _PAGE = "plan.tfplan", "plan.json", "plan.md"


class PlanRecord(BaseModel):
    """What is kept beside a plan file; a person's approval is of its digest.

    Attributes:
        target: name of the target.
        document: digest of the Terraform JSON that was planned.
        plan: digest of the plan file.
        terraform: product and version that made it.
        made_at: when (UTC).
        changes: how many of each action.
        left_out: what an emulator can't hold, with reasons.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    document: str
    plan: str
    terraform: str
    made_at: datetime
    changes: Mapping[str, int]
    left_out: Mapping[str, str] = {}

    @property
    def digest(self) -> str:
        """What is approved: digest of target, document and plan file."""
        return digest_json({"target": self.target, "document": self.document, "plan": self.plan})


@dataclass(frozen=True)
class SavedPlan:
    """A plan on disk.

    Args:
        folder: where it lies.
        record: about it.
        changes: what it would do.
    """

    folder: Path
    record: PlanRecord
    changes: tuple[Change, ...]

    @property
    def file(self) -> Path:
        """Terraform's plan file."""
        return self.folder / _PLAN

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change."""
        return not self.changes


def make_plan(
    intent: Intent,
    checked: Checked,
    document: Mapping[str, Any],
    left_out: Mapping[str, str],
    workspace: Workspace,
    notice: Notice,
    listen: Listener,
    *,
    to_apply: bool,
    destroy: bool = False,
) -> SavedPlan:
    """Plan ``document`` and save the plan with its record and a page for reviewers.

    Args:
        intent: whose plan it is.
        checked: the real stack; its checks must have passed.
        document: what is planned: the real stack, or its emulated part.
        left_out: of the emulated part.
        workspace: where Terraform works.
        notice: is told of an apply that was interrupted.
        listen: is told Terraform's messages.
        to_apply: the plan will be applied now, so what an interrupted apply left is set in order first, and
            others are kept out. Else nothing is written but the plan: a right to read is enough.
        destroy: plan the end of everything.

    Raises:
        PolicyError: a check failed, or the plan would shorten a retention.
        IsocenterError: Terraform failed, explained.
    """
    checked.require()
    place(document, workspace.folder)
    workspace.init()
    intent.plans.mkdir(parents=True, exist_ok=True)
    file = (intent.plans / _PLAN).absolute()
    if to_apply:
        take_up(document, workspace, notice)
        workspace.plan(file, listen, destroy=destroy)
    else:
        look(document, workspace, notice, file, listen)
    shown = workspace.show(file)
    if intent.protect:
        refuse_shorter_retention(shown)
    changes = summarise(shown)
    record = PlanRecord(
        target=intent.target,
        document=digest_bytes(as_text(document)),
        plan=digest_file(file),
        terraform=f"{workspace.terraform.product} {workspace.terraform.version}",
        made_at=datetime.now(UTC),
        changes=count(changes),
        left_out=dict(left_out),
    )
    write_bytes(intent.plans / _RECORD, record.model_dump_json(indent=2).encode() + b"\n")
    write_bytes(intent.plans / _PAGE, page(record.target, changes, record.digest, record.terraform).encode())
    return SavedPlan(intent.plans, record, changes)


def look(
    document: Mapping[str, Any], workspace: Workspace, notice: Notice, file: Path, listen: Listener
) -> None:
    """Have Terraform save a plan in ``file`` and write nothing else; a right to read is enough.

    It takes no lock, so it may see another's half-done apply: applying such a plan, Terraform finds it stale.

    Raises:
        IsocenterError: Terraform failed, explained.
    """
    kept = tell(document, workspace, notice)
    try:
        workspace.plan(file, listen, lock=False)
    except PolicyError as error:
        raise (cannot_plan(kept) if kept else error) from error


def read_record(folder: Path, *, target: str, digest: str) -> PlanRecord:
    """The record of the plan in ``folder``, if plan file and record are still those that were approved.

    Args:
        folder: as ``make_plan`` left it.
        target: that the plan must be for.
        digest: that was approved; empty: the record's own.

    Raises:
        InputError: there is no plan, or it is of another target.
        IntegrityError: plan file or record were changed, or another plan was approved.
    """
    try:
        record = PlanRecord.model_validate_json((folder / _RECORD).read_bytes())
        found = digest_file(folder / _PLAN)
    except OSError as error:
        raise InputError(f"There is no plan in {folder}: {error.strerror}.", hint="make plan") from error
    except ValidationError as error:
        faults = field_faults(error, PlanRecord)
        raise IntegrityError(f"The plan's record in {folder} was changed: {faults}.") from error
    if record.target != target:
        raise InputError(f"The plan in {folder} is for {record.target}, not for {target}.")
    if found != record.plan or (digest and digest != record.digest):
        raise IntegrityError(
            f"The plan in {folder} is not the one that was approved: its digest differs.",
            hint="Make a new plan, have it looked at, and deploy that one.",
        )
    return record


def load_plan(folder: Path, *, target: str, digest: str, show: Callable[[Path], dict[str, Any]]) -> SavedPlan:
    """The plan in ``folder``, if it is still the one that was approved.

    Args:
        folder: see :func:`read_record`.
        target: see :func:`read_record`.
        digest: see :func:`read_record`.
        show: reads a plan file (``Workspace.show``).

    Raises:
        InputError, IntegrityError: as of :func:`read_record`.
        IntegrityError: the record counts other changes than the plan makes.
        PolicyError: the plan would shorten a retention.
    """
    record = read_record(folder, target=target, digest=digest)
    shown = show((folder / _PLAN).absolute())
    changes = summarise(shown)
    if count(changes) != record.changes:
        raise IntegrityError(
            f"The plan's record in {folder} was changed: it counts other changes than the plan makes.",
            hint="Make a new plan, have it looked at, and deploy that one.",
        )
    refuse_shorter_retention(shown)
    return SavedPlan(folder, record, changes)


def as_json(saved: SavedPlan) -> dict[str, Any]:
    """The plan for ``--json``."""
    body: dict[str, Any] = json.loads(saved.record.model_dump_json())
    changes = [asdict(change) for change in saved.changes]
    return body | {"digest": saved.record.digest, "folder": str(saved.folder), "resources": changes}
