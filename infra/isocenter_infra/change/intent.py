"""What somebody wants changed: which deployment, where its files lie, and whether it is emulated."""

from dataclasses import dataclass
from pathlib import Path

from isocenter.targets.settings import DeploymentSettings
from isocenter_infra.deployment import Deployment

STATE = "state"
MAIN = "main"


@dataclass(frozen=True)
class Intent:
    """One deployment, about to be looked at or changed.

    Args:
        settings: of the deployment.
        deployments: folder of settings files and descriptors.
        outdir: where synthesized documents and plans go.
        emulate: the cloud is a local emulator.
        stack: ``main``, or ``state`` for the bucket of Terraform's state.
        protect: data, keys and audit logs can't be destroyed.
        remote_state: the state lies in the deployment's state bucket.
    """

    settings: DeploymentSettings
    deployments: Path
    outdir: Path
    emulate: bool = False
    stack: str = MAIN
    protect: bool = True
    remote_state: bool = True

    @property
    def target(self) -> str:
        """Name of the target that the deployment becomes."""
        return f"{self.settings.name}-emulated" if self.emulate else self.settings.name

    @property
    def about(self) -> str:
        """The deployment, as audit records name it."""
        return f"deployment:{self.target}"

    @property
    def deployment(self) -> Deployment:
        """For the stack."""
        return Deployment(self.settings, self.protect, self.remote_state)

    @property
    def _suffix(self) -> str:
        name = self.settings.name
        return f"{name}-{STATE}" if self.stack == STATE else name

    @property
    def _base(self) -> Path:
        return self.outdir / "emulated" if self.emulate else self.outdir

    @property
    def folder(self) -> Path:
        """Where Terraform works on the stack; an emulated one is only a part of it, and lies apart."""
        return self._base / "stacks" / self._suffix

    @property
    def plans(self) -> Path:
        """Where the stack's plan is saved."""
        return self._base / "plans" / self._suffix

    @property
    def descriptor(self) -> Path:
        """The descriptor's file."""
        return self.deployments / f"{self.target}.json"
