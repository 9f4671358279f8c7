"""The ``isocenter`` command: a table of verbs, each loaded only when it is called."""

import importlib
import sys
from collections.abc import Mapping

import click

from isocenter import __version__

Verb = tuple[str, str]
"""``module:attribute`` of the click command, and its one-line help."""

VERBS: Mapping[str, Verb | tuple[str, Mapping[str, Verb]]] = {
    "audit": (
        "Prove that the audit trail is whole.",
        {
            "list": ("isocenter.cli.audit.list:command", "List the newest audit events."),
            "verify": (
                "isocenter.cli.audit.verify:command",
                "Check every record, the chain and the signed heads.",
            ),
            "export": (
                "isocenter.cli.audit.export:command",
                "Write records and signed tree heads to keep elsewhere.",
            ),
        },
    ),
    "completion": ("isocenter.cli.completion:command", "Print the completion script for bash, zsh or fish."),
    "data": (
        "Turn folders of DICOM into DatasetVersions.",
        {
            "ingest": ("isocenter.cli.data.ingest:command", "Read a folder of labelled DICOM X-rays."),
            "list": ("isocenter.cli.data.list:command", "List the DatasetVersions in this store."),
            "show": (
                "isocenter.cli.data.show:command",
                "Counts, classes, scanners, ages, sexes, views, quarantine.",
            ),
        },
    ),
    "demo": ("isocenter.cli.demo:command", "Write a synthetic chest X-ray set as DICOM."),
    "doctor": ("isocenter.cli.doctor:command", "Say what is missing on this machine and how to get it."),
    "model": (
        "Registered models: their versions, cards and aliases.",
        {
            "list": ("isocenter.cli.model.list:command", "List registered versions."),
            "show": (
                "isocenter.cli.model.show:command",
                "One version: metrics, lineage, aliases, approvals.",
            ),
            "card": ("isocenter.cli.model.card:command", "Print or complete a version's model card."),
            "promote": ("isocenter.cli.model.promote:command", "Move an alias to a version, with a reason."),
        },
    ),
    "pipeline": (
        "Run the steps from DICOM to registered model.",
        {"run": ("isocenter.cli.pipeline.run:command", "Ingest, validate, train, evaluate, gate, register.")},
    ),
    "predict": ("isocenter.cli.predict:command", "Score DICOM files with a registered model."),
    "run": (
        "Executions of training jobs.",
        {
            "list": ("isocenter.cli.run.list:command", "List runs, newest first."),
            "show": ("isocenter.cli.run.show:command", "One run: state, attempts, inputs, outputs."),
            "logs": ("isocenter.cli.run.logs:command", "Print a run's log."),
            "cancel": ("isocenter.cli.run.cancel:command", "Stop a run."),
        },
    ),
    "target": (
        "Places to train and serve.",
        {"list": ("isocenter.cli.target.list:command", "List the targets that this store knows.")},
    ),
}


class LazyGroup(click.Group):
    """A group that knows its verbs' names and help without importing them."""

    def __init__(self, name: str, verbs: Mapping[str, object], **attributes: object) -> None:
        super().__init__(name, **attributes)  # type: ignore[arg-type]
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the verbs, sorted."""
        return sorted(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb ``cmd_name``, imported now; None if there is none."""
        entry = self.verbs.get(cmd_name)
        if entry is None:
            return None
        first, second = entry  # type: ignore[misc]
        if isinstance(second, Mapping):
            return LazyGroup(cmd_name, second, help=first)
        module, attribute = first.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs with their one-line help from the table."""
        rows = []
        for name in self.list_commands(ctx):
            first, second = self.verbs[name]  # type: ignore[misc]
            rows.append((name, first if isinstance(second, Mapping) else second))
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

    try:
        root.main(args=arguments, prog_name="isocenter", standalone_mode=False)
    except BaseException as error:
        sys.exit(report_failure(error))
    sys.exit(0)


if __name__ == "__main__":
    main()
