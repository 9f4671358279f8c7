"""The ``isocenter`` command: a table of verbs, each loaded only when it is called."""

import gc
import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from isocenter import __version__

# Clouds' SDKs make up to 260,000 objects that stay; looking among them for garbage every 700, as Python does
# by default, is a fifth of the time that they take to load. mypy has the same number for the same reason.
_OBJECTS_BETWEEN_COLLECTIONS = 200_000


@dataclass(frozen=True)
class Verb:
    """Where a click command lives (``module:attribute``) and its one-line help."""

    location: str
    help: str


@dataclass(frozen=True)
class Group:
    """Verbs about one kind of thing."""

    help: str
    verbs: Mapping[str, Verb]


VERBS: Mapping[str, Verb | Group] = {
    "audit": Group(
        "Prove that the audit trail is whole.",
        {
            "list": Verb("isocenter.cli.audit.list:command", "List the newest audit events."),
            "verify": Verb("isocenter.cli.audit.verify:command", "Check records, chain and signed heads."),
            "export": Verb(
                "isocenter.cli.audit.export:command", "Write records and signed heads to keep elsewhere."
            ),
        },
    ),
    "completion": Verb(
        "isocenter.cli.completion:command", "Print the completion script of bash, zsh or fish."
    ),
    "data": Group(
        "Turn folders of DICOM into DatasetVersions.",
        {
            "ingest": Verb("isocenter.cli.data.ingest:command", "Read a folder of labelled DICOM X-rays."),
            "list": Verb("isocenter.cli.data.list:command", "List the DatasetVersions in this store."),
            "show": Verb(
                "isocenter.cli.data.show:command", "Counts, classes, scanners, ages, views, quarantine."
            ),
        },
    ),
    "demo": Verb("isocenter.cli.demo:command", "Write a synthetic chest X-ray set as DICOM."),
    "doctor": Verb("isocenter.cli.doctor:command", "Say what is missing on this machine and how to get it."),
    "emulate": Verb(
        "isocenter.cli.emulate:command", "Answer as a cloud's training service, on this machine."
    ),
    "endpoint": Group(
        "Serve registered models, change what is served, take it back.",
        {
            "deploy": Verb(
                "isocenter.cli.endpoint.deploy:command", "Put a version behind an endpoint; canary, shadow."
            ),
            "status": Verb("isocenter.cli.endpoint.status:command", "What serves, what it did, its history."),
            "shift": Verb("isocenter.cli.endpoint.shift:command", "Give the new version more or less."),
            "rollback": Verb("isocenter.cli.endpoint.rollback:command", "Bring the last good version back."),
            "logs": Verb("isocenter.cli.endpoint.logs:command", "Print what the serving program says."),
            "collect": Verb(
                "isocenter.cli.endpoint.collect:command", "Audit who was not let in; ship captured features."
            ),
            "token": Verb("isocenter.cli.endpoint.token:command", "Print a token for a local endpoint."),
            "delete": Verb("isocenter.cli.endpoint.delete:command", "End an endpoint; its history stays."),
        },
    ),
    "model": Group(
        "Registered models: their versions, cards and aliases.",
        {
            "list": Verb("isocenter.cli.model.list:command", "List registered versions."),
            "show": Verb(
                "isocenter.cli.model.show:command", "One version: metrics, lineage, aliases, approvals."
            ),
            "card": Verb("isocenter.cli.model.card:command", "Print or complete a version's model card."),
            "promote": Verb(
                "isocenter.cli.model.promote:command", "Move an alias to a version, with a reason."
            ),
            "mirror": Verb(
                "isocenter.cli.model.mirror:command", "Carry versions to their targets' own registries."
            ),
        },
    ),
    "pipeline": Group(
        "Run the steps from DICOM to registered model.",
        {
            "collect": Verb(
                "isocenter.cli.pipeline.collect:command", "Register the model that a service's pipeline left."
            ),
            "compile": Verb(
                "isocenter.cli.pipeline.compile:command", "Write the pipeline in a service's own format."
            ),
            "run": Verb(
                "isocenter.cli.pipeline.run:command", "Ingest, validate, train, evaluate, gate, register."
            ),
            "status": Verb("isocenter.cli.pipeline.status:command", "Where the steps of a pipeline are."),
            "step": Verb("isocenter.cli.pipeline.step:command", "Do one step; compiled pipelines call it."),
        },
    ),
    "predict": Verb("isocenter.cli.predict:command", "Score DICOM files with a registered model."),
    "run": Group(
        "Executions of training jobs.",
        {
            "list": Verb("isocenter.cli.run.list:command", "List runs, newest first."),
            "show": Verb("isocenter.cli.run.show:command", "One run: state, attempts, inputs, outputs."),
            "logs": Verb("isocenter.cli.run.logs:command", "Print a run's log."),
            "cancel": Verb("isocenter.cli.run.cancel:command", "Stop a run."),
            "check": Verb(
                "isocenter.cli.run.check:command", "Hold the rules for jobs against a request in a file."
            ),
            "resume": Verb("isocenter.cli.run.resume:command", "Follow a run again to its end."),
        },
    ),
    "target": Group(
        "Places to train and serve.",
        {
            "list": Verb("isocenter.cli.target.list:command", "List the targets that this store knows."),
            "init": Verb("isocenter.cli.target.init:command", "Write a commented settings file."),
            "show": Verb("isocenter.cli.target.show:command", "What a deployment provisioned."),
            "check": Verb("isocenter.cli.target.check:command", "Probe a target."),
        },
    ),
}


class LazyGroup(click.Group):
    """A group that knows its verbs' names and help without importing them."""

    def __init__(self, name: str, verbs: Mapping[str, Verb | Group], **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the verbs, sorted."""
        return sorted(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb ``cmd_name``, imported now; None if there is none."""
        entry = self.verbs.get(cmd_name)
        if entry is None:
            return None
        if isinstance(entry, Group):
            return LazyGroup(cmd_name, entry.verbs, help=entry.help)
        module, attribute = entry.location.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs with their one-line help from the table."""
        rows = [(name, self.verbs[name].help) for name in self.list_commands(ctx)]
        with formatter.section("Verbs"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one was probably meant."""
        if args and args[0] not in self.verbs and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], self.verbs, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No verb {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


root = LazyGroup(
    "isocenter",
    VERBS,
    help="Train, register and watch medical-imaging models where the hospital allows.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
root = click.version_option(__version__, prog_name="isocenter", message="%(prog)s %(version)s")(root)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; errors of ours become a message, a hint and an exit code."""
    from isocenter.cli.failure import report_failure

    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        code = root.main(args=arguments, prog_name="isocenter", standalone_mode=False)
    except BaseException as error:
        sys.exit(report_failure(error))
    sys.exit(code if isinstance(code, int) else 0)  # click returns the code of its Exit


if __name__ == "__main__":
    main()
