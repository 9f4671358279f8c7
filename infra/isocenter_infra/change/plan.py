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
from isocenter.errors import InputError, IntegrityError
from isocenter.storage.atomic import write_bytes
from isocenter_infra.change.check import Checked, place
from isocenter_infra.change.intent import Intent
from isocenter_infra.synthesis import as_text
from isocenter_infra.terraform.plan_summary import Change, count, summarise
from isocenter_infra.terraform.workspace import Listener, Workspace

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
    listen: Listener,
    *,
    migrate: bool = False,
    destroy: bool = False,
) -> SavedPlan:
    """Plan ``document`` and save the plan with its record and a page for reviewers.

    Args:
        intent: whose plan it is.
        checked: the real stack; its checks must have passed.
        document: what is planned: the real stack, or its emulated part.
        left_out: of the emulated part.
        workspace: where Terraform works.
        listen: is told Terraform's messages.
        migrate: carry the state over from where it was kept before.
        destroy: plan the end of everything.

    Raises:
        PolicyError: a check failed.
        IsocenterError: Terraform failed, explained.
    """
    checked.require()
    place(document, workspace.folder)
    workspace.init(migrate=migrate)
    workspace.save_unsaved()
    _take_up(document, workspace)
    intent.plans.mkdir(parents=True, exist_ok=True)
    file = (intent.plans / _PLAN).absolute()
    workspace.plan(file, listen, destroy=destroy)
    changes = summarise(workspace.show(file))
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
    write_bytes(intent.plans / _PAGE, page(record, changes).encode())
    return SavedPlan(intent.plans, record, changes)


def _take_up(document: Mapping[str, Any], workspace: Workspace) -> None:
    """Go on with protected resources that an interrupted apply left half-made.

    Terraform would replace them, and their protection forbids it: the deployment would be stuck.
    """
    for address in workspace.tainted():
        kind, _, name = address.partition(".")
        body = document.get("resource", {}).get(kind, {}).get(name, {})
        if body.get("lifecycle", {}).get("prevent_destroy"):
            workspace.untaint(address)


def load_plan(folder: Path, *, target: str, digest: str, show: Callable[[Path], dict[str, Any]]) -> SavedPlan:
    """The plan in ``folder``, if it is still the one that was approved.

    Args:
        folder: as ``make_plan`` left it.
        target: that it must be for.
        digest: that was approved; empty: the record's own.
        show: reads a plan file (``Workspace.show``).

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
    changes = summarise(show((folder / _PLAN).absolute()))
    if count(changes) != record.changes:
        raise IntegrityError(
            f"The plan's record in {folder} was changed: it counts other changes than the plan makes.",
            hint="Make a new plan, have it looked at, and deploy that one.",
        )
    return SavedPlan(folder, record, changes)


def page(record: PlanRecord, changes: tuple[Change, ...]) -> str:
    """The plan in Markdown, for a pull request's comment."""
    counts = ", ".join(f"{number} to {action}" for action, number in record.changes.items() if number)
    lines = [f"### Plan for `{record.target}`", "", counts or "Nothing to change.", ""]
    if changes:
        lines += ["| action | resource | arguments |", "|---|---|---|"]
        lines += [f"| {_bold(c.action)} | `{c.address}` | {', '.join(c.arguments)} |" for c in changes]
        lines.append("")
    lines += [f"Digest `{record.digest}`, made by {record.terraform}.", ""]
    return "\n".join(lines)


def _bold(action: str) -> str:
    return f"**{action}**" if action in ("destroy", "replace") else action


def as_json(saved: SavedPlan) -> dict[str, Any]:
    """The plan for ``--json``."""
    body: dict[str, Any] = json.loads(saved.record.model_dump_json())
    changes = [asdict(change) for change in saved.changes]
    return body | {"digest": saved.record.digest, "folder": str(saved.folder), "resources": changes}
