"""One folder in which Terraform works on one stack."""

import json
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter_infra.terraform.binary import Terraform
from isocenter_infra.terraform.diagnosis import Diagnostic, explain
from isocenter_infra.terraform.plugins import InstalledProvider

# Terraform's name for the state that it could not save.
UNSAVED_STATE = "errored.tfstate"
_PARALLEL = "-parallelism=20"
_BOX = re.compile(r"^[│╷╵|]\s?", re.M)
_ERROR = re.compile(r"^Error: (.*?)\n(.*?)(?=^Error: |\Z)", re.M | re.S)
Listener = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Workspace:
    """A folder with a ``cdk.tf.json``, and how Terraform is run there.

    Args:
        folder: where the document lies.
        terraform: the program.
        environ: variables of each run.
        providers: on this machine; None: from the registry.
    """

    folder: Path
    terraform: Terraform
    environ: Mapping[str, str] = field(repr=False)
    providers: InstalledProvider | None = None

    def init(self, *, migrate: bool = False) -> None:
        """Install providers and open the state.

        Args:
            migrate: carry a state over from where it was kept before.

        Raises:
            IsocenterError: explained by :func:`isocenter_infra.terraform.diagnosis.explain`.
        """
        plugins = [f"-plugin-dir={self.providers.plugin_dir}"] if self.providers else []
        state = ["-migrate-state", "-force-copy"] if migrate else ["-reconfigure"]
        self._run("init", "-no-color", *state, *plugins)

    def plan(self, file: Path, listen: Listener, *, destroy: bool = False, lock: bool = True) -> bool:
        """Save a plan in ``file``; tell whether there is anything to change.

        Args:
            file: to write.
            listen: is told Terraform's messages (https://developer.hashicorp.com/terraform/internals/machine-readable-ui).
            destroy: plan the end of everything.
            lock: keep others from changing the deployment meanwhile; whoever may only read can't.

        Raises:
            IsocenterError: explained by :func:`isocenter_infra.terraform.diagnosis.explain`.
        """
        modes = [*(["-destroy"] if destroy else []), *([] if lock else ["-lock=false"])]
        code = self._stream(
            "plan", "-json", "-detailed-exitcode", _PARALLEL, f"-out={file}", *modes, listen=listen
        )
        return code == 2

    def apply(self, file: Path, listen: Listener) -> None:
        """Apply the saved plan ``file``.

        Raises:
            IsocenterError: explained by :func:`isocenter_infra.terraform.diagnosis.explain`.
        """
        self._stream("apply", "-json", _PARALLEL, str(file), listen=listen)

    def show(self, file: Path) -> dict[str, Any]:
        """The saved plan ``file`` in words that programs read."""
        shown: dict[str, Any] = json.loads(self._run("show", "-json", str(file)))
        return shown

    @property
    def has_unsaved(self) -> bool:
        """Whether an earlier apply left its state here because its place couldn't be reached."""
        return (self.folder / UNSAVED_STATE).exists()

    def save_unsaved(self) -> bool:
        """Save the state that an earlier apply left here because its place couldn't be reached.

        Without it, what that apply made would be nobody's. Tells whether there was one.

        Raises:
            IsocenterError: the state has changed since; explained.
        """
        if not self.has_unsaved:
            return False
        self._run("state", "push", UNSAVED_STATE)
        (self.folder / UNSAVED_STATE).unlink()
        return True

    def tainted(self) -> tuple[str, ...]:
        """Addresses of resources whose making was interrupted; Terraform would destroy and make them anew."""
        state = json.loads(self._run("state", "pull") or "{}")
        return tuple(
            f"{resource['type']}.{resource['name']}{_index(instance)}"
            for resource in state.get("resources", ())
            if resource["mode"] == "managed"
            for instance in resource["instances"]
            if instance.get("status") == "tainted"
        )

    def untaint(self, address: str) -> None:
        """Keep a resource whose making was interrupted; the next apply completes it.

        Raises:
            IsocenterError: explained by :func:`isocenter_infra.terraform.diagnosis.explain`.
        """
        self._run("untaint", "-no-color", address)

    def output(self, name: str) -> str:
        """An output of the stack, as JSON text."""
        return self._run("output", "-json", name)

    def is_empty(self) -> bool:
        """Whether the state holds nothing."""
        return not json.loads(self._run("state", "pull") or "{}").get("resources")

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [self.terraform.path, *arguments]

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            self._command(arguments),
            cwd=self.folder,
            env=dict(self.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise explain(parse_errors(done.stderr or done.stdout))
        return done.stdout

    def _stream(self, *arguments: str, listen: Listener) -> int:
        """Run and listen; Ctrl-C goes to Terraform too, which ends what it is at and keeps the state.

        It has a session of its own, because a terminal sends Ctrl-C to all, and at a second one Terraform
        drops what it is at.
        """
        with subprocess.Popen(
            self._command(arguments),
            cwd=self.folder,
            env=dict(self.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            errors, plain = self._listen(process, listen)
            code = process.wait()
        if code not in (0, 2):
            raise explain(errors or parse_errors("\n".join(plain)))
        return code

    def _listen(
        self, process: "subprocess.Popen[str]", listen: Listener
    ) -> tuple[list[Diagnostic], list[str]]:
        errors: list[Diagnostic] = []
        plain: list[str] = []
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        interrupted = False
        while True:
            try:
                for line in process.stdout:
                    _sort(line, errors, plain, listen)
                break
            except KeyboardInterrupt:
                if not interrupted:
                    process.send_signal(signal.SIGINT)
                interrupted = True
        if interrupted:
            process.wait()
            raise KeyboardInterrupt
        return errors, plain


def _index(instance: Mapping[str, Any]) -> str:
    """Which one of several, in an address."""
    return f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""


def _sort(line: str, errors: list[Diagnostic], plain: list[str], listen: Listener) -> None:
    try:
        message = json.loads(line)
    except ValueError:
        plain.append(line.rstrip())
        return
    listen(message)
    found = message.get("diagnostic", {})
    if found.get("severity") == "error":
        errors.append(Diagnostic(found["summary"], found.get("detail", ""), found.get("address", "")))


def parse_errors(text: str) -> list[Diagnostic]:
    """The errors in what Terraform printed for people."""
    plain = _BOX.sub("", re.sub(r"\x1b\[[0-9;]*m", "", text))
    found = [Diagnostic(summary, detail.strip()) for summary, detail in _ERROR.findall(plain)]
    if found or not plain.strip():
        return found
    # Some commands (`state push`) say what is wrong without that heading.
    summary, _, detail = plain.strip().partition("\n")
    return [Diagnostic(summary, detail.strip())]
