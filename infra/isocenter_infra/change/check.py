"""Synthesize, and hold the result against schema, parity and policy, before Terraform is called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.domain.digest import digest_bytes
from isocenter.errors import PolicyError
from isocenter.storage.atomic import write_bytes
from isocenter.targets.settings import Cloud
from isocenter_infra.bindings.arguments import read_arguments
from isocenter_infra.bindings.cut_cache import cut_tarball
from isocenter_infra.change.intent import MAIN, Intent
from isocenter_infra.change.policy_scan import PolicyResult, scan
from isocenter_infra.change.schema_check import SchemaFault, check_schema
from isocenter_infra.parity import CONTROLS, Gap, check_parity
from isocenter_infra.synthesis import FILE_NAME, as_text, stack_submodules, synthesize

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Checked:
    """A synthesized document and what the checks said of it.

    Args:
        document: Terraform's JSON.
        path: where it lies.
        schema: arguments that the providers don't know or miss.
        parity: controls that aren't true.
        policy: what the policy scan found.
    """

    document: Mapping[str, Any]
    path: Path
    schema: tuple[SchemaFault, ...]
    parity: tuple[Gap, ...]
    policy: PolicyResult

    @property
    def digest(self) -> str:
        """Digest of the document's text."""
        return digest_bytes(as_text(self.document))

    @property
    def passed(self) -> bool:
        """Whether Terraform may be called."""
        return not self.schema and not self.parity and self.policy.passed

    def require(self) -> None:
        """Go on only if every check passed.

        Raises:
            PolicyError: names the checks that failed, and how many findings each has.
        """
        if self.passed:
            return
        failed = {
            "schema": len(self.schema),
            "parity": len(self.parity),
            "policy": len(self.policy.findings),
        }
        words = ", ".join(f"{name} ({count})" for name, count in failed.items() if count)
        raise PolicyError(
            f"The stack was not planned: {words or 'the policy scan'} failed. Terraform was not called.",
            hint="Each finding names the file and line that made the resource; mend it there.",
        )


def synthesize_and_check(intent: Intent, notice: Notice) -> Checked:
    """Synthesize the stack of ``intent``, write its document, and check it.

    What is checked is the real stack, also where an emulator will hold only a part of it.

    Raises:
        EnvironmentFaultError: bindings, Node.js or the policy scanner are missing.
        IntegrityError: the policy scanner could not read the document.
    """
    synthesis = synthesize(intent.deployment, notice, stack=intent.stack)
    path = synthesis.write(intent.outdir)
    return Checked(
        synthesis.document,
        path,
        _schema(intent, synthesis.document, notice),
        check_parity(intent.settings.cloud, synthesis.document) if intent.stack == MAIN else (),
        scan(path, notice),
    )


def _schema(intent: Intent, document: Mapping[str, Any], notice: Notice) -> tuple[SchemaFault, ...]:
    used = stack_submodules(intent.settings.cloud)
    table = read_arguments([cut_tarball(provider, names, notice) for provider, names in used.items()])
    faults = check_schema(document, table)
    if intent.settings.cloud is not Cloud.ONPREM:
        return faults
    from isocenter_infra.onprem.manifests import validate_manifests

    return (*faults, *validate_manifests(document))


def place(document: Mapping[str, Any], folder: Path) -> Path:
    """Write ``document`` where Terraform will work on it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    write_bytes(path, as_text(document))
    return path


def controls_checked(cloud: Cloud) -> int:
    """How many controls parity holds for ``cloud``."""
    return 0 if cloud is Cloud.ONPREM else len(CONTROLS)
