"""What a cloud sells, read from ``<cloud>.yaml``: regions with their residency zone, GPU sizes, machines."""

import difflib
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from isocenter.errors import InputError

# Neutral sizes, from small to large: what is near a size that a cloud lacks is told by this order.
GPU_SIZES = ("l4", "a10", "a100-40", "a100-80", "h100")
CLOUDS = ("aws", "gcp", "azure")


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Machine(_Row):
    """A machine type that carries a GPU size.

    Attributes:
        gpus: on one machine.
        managed: type name in the cloud's ML service.
        node: type name of a Kubernetes node.
        accelerator: GCP's name of the GPU.
        family: Azure's name of the quota; the end of GCP's.
        local_storage: AWS: whether its disks are its own; their key is the hardware's and can't be chosen.
        memory_gib: of the whole machine; None where it isn't in the table.
        usd_per_hour: list price, for estimates only; None where it isn't known.
        spot_usd_per_hour: likewise, interruptible; it changes from hour to hour.
    """

    gpus: int
    managed: str
    node: str
    accelerator: str = ""
    family: str = ""
    local_storage: bool = False
    memory_gib: int | None = None
    usd_per_hour: float | None = None
    spot_usd_per_hour: float | None = None


class GpuOffer(_Row):
    """The machines with one neutral GPU size, the smallest first; memory of one GPU in GiB."""

    memory_gib: int
    machines: tuple[Machine, ...]


class CloudOffer(_Row):
    """One cloud's regions (name: residency zone), GPU sizes, and machines without a GPU, the usual first.

    Attributes:
        managed_fee: what its ML service adds to the machines' prices in the table, as a part of them.
    """

    title: str
    regions: dict[str, str]
    gpu: dict[str, GpuOffer]
    cpu: tuple[Machine, ...] = ()
    managed_fee: float = 0.0

    def residency(self, region: str) -> str:
        """The zone that data in ``region`` stays in.

        Raises:
            InputError: there is no such region; the hint names the nearest.
        """
        if region in self.regions:
            return self.regions[region]
        near = difflib.get_close_matches(region.lower(), self.regions, n=3, cutoff=0.5)
        raise InputError(
            f"{self.title} has no region {region!r} that Isocenter knows.",
            hint=f"Near: {', '.join(near or sorted(self.regions)[:5])}.",
        )

    def within(self, residency: str) -> list[str]:
        """The regions of a zone; of an unknown zone, all."""
        return [name for name, zone in self.regions.items() if zone == residency] or [*self.regions]

    def machines(self, size: str) -> tuple[Machine, ...]:
        """The machines that carry GPU ``size``.

        Raises:
            InputError: no such size, or the cloud lacks it; the hint names the nearest that it has.
        """
        if size in self.gpu:
            return self.gpu[size].machines
        what = f"{self.title} sells no GPU of size {size!r}" if size in GPU_SIZES else f"No GPU size {size!r}"
        raise InputError(f"{what}.", hint=f"Nearest: {', '.join(self._near(size))}.")

    def named(self, managed: str) -> Machine | None:
        """The machine of which ``managed`` is the type name; None where it isn't in the table."""
        machines = [*self.cpu, *(machine for offer in self.gpu.values() for machine in offer.machines)]
        return next((machine for machine in machines if machine.managed == managed), None)

    def _near(self, size: str) -> list[str]:
        if size not in GPU_SIZES:
            begun = [known for known in self.gpu if known.startswith(size.lower())]
            return begun or difflib.get_close_matches(size.lower(), self.gpu, n=2, cutoff=0.3) or [*self.gpu]
        at = GPU_SIZES.index(size)
        return sorted(self.gpu, key=lambda known: abs(GPU_SIZES.index(known) - at))[:2]


@cache
def cloud_offer(cloud: str) -> CloudOffer:
    """What ``cloud`` (one of ``CLOUDS``) sells."""
    text = Path(__file__).with_name(f"{cloud}.yaml").read_text(encoding="utf-8")
    return CloudOffer.model_validate(yaml.safe_load(text))
