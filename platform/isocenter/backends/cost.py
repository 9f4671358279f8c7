"""What jobs will cost about: the list price of the machines that their target would give them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from isocenter.backends.kubernetes_placement import offered_to
from isocenter.backends.machine_choice import choose_machine
from isocenter.backends.time_limit import DEFAULT_S
from isocenter.clouds.offer import CLOUDS, CloudOffer, Machine, cloud_offer
from isocenter.domain.training_job import Compute
from isocenter.targets.descriptor import DeploymentDescriptor

ON_DEMAND = "on demand"
SPOT = "spot"
AT_MOST = "on demand: the most that a spot machine costs"


@dataclass(frozen=True)
class JobCost:
    """An estimate of one job from list prices (``clouds/*.yaml``), without discounts, storage and traffic.

    Args:
        machine: type name in the cloud's own terms.
        nodes: how many.
        memory_gib: of one machine; None where the table doesn't say.
        gpus: on one machine.
        gpu_memory_gib: of one GPU; None where there is none.
        usd_per_hour: of all machines; None where no list price is known.
        price: which list price that is: ``ON_DEMAND``, ``SPOT`` or ``AT_MOST``; None where none is known.
        hours_at_most: after which the service stops the job.
        usd_at_most: for so long.
        is_billed: false on an emulated target: it is what the real one would cost.
    """

    machine: str
    nodes: int
    memory_gib: int | None
    gpus: int
    gpu_memory_gib: int | None
    usd_per_hour: float | None
    price: str | None
    hours_at_most: float
    usd_at_most: float | None
    is_billed: bool = True

    @property
    def sentence(self) -> str:
        """One line for a person."""
        memory = [f"{self.memory_gib} GiB"] if self.memory_gib else []
        memory += [f"{self.gpus} GPU of {self.gpu_memory_gib} GiB"] if self.gpu_memory_gib else []
        machine = f"{self.machine} ({', '.join(memory)})" if memory else self.machine
        machines = machine if self.nodes == 1 else f"{self.nodes} x {machine}"
        if self.usd_per_hour is None:
            return f"{machines}, no list price known, stopped after {self.hours_at_most:g} h"
        return (
            f"{machines}, {self.usd_per_hour:.2f} USD an hour (list price {self.price}), at most"
            f" {self.usd_at_most:.2f} USD in {self.hours_at_most:g} h"
            + ("" if self.is_billed else " (emulated: nobody bills it)")
        )


@dataclass(frozen=True)
class CostEstimate:
    """What the jobs of a pipeline cost, by step."""

    jobs: Mapping[str, JobCost]

    @property
    def usd_at_most(self) -> float | None:
        """Of all jobs, each for its maximum run time; None where the price of one is not known."""
        each = [job.usd_at_most for job in self.jobs.values()]
        known = [usd for usd in each if usd is not None]
        return round(sum(known), 2) if len(known) == len(each) else None

    @property
    def sentence(self) -> str:
        """One line for a person."""
        total = f"; together at most {self.usd_at_most:.2f} USD" if self.usd_at_most is not None else ""
        return "; ".join(f"{step}: {job.sentence}" for step, job in self.jobs.items()) + total

    def as_json(self) -> dict[str, Any]:
        """A JSON object: each job by its step, and the sum."""
        return {**{step: asdict(job) for step, job in self.jobs.items()}, "usd_at_most": self.usd_at_most}


def estimate_costs(
    descriptor: DeploymentDescriptor | None, jobs: Mapping[str, Compute]
) -> CostEstimate | None:
    """What jobs (step -> machines) cost on a target; None where nobody sends a bill for it.

    Raises:
        InputError: the deployment doesn't offer one of them; the hint names the nearest that it does.
    """
    found = {step: estimate_cost(descriptor, compute) for step, compute in jobs.items()}
    known = {step: cost for step, cost in found.items() if cost is not None}
    return CostEstimate(known) if known else None


def estimate_cost(descriptor: DeploymentDescriptor | None, compute: Compute) -> JobCost | None:
    """What ``compute`` costs on a target; None where nobody sends a bill for it.

    Raises:
        InputError: the deployment doesn't offer it; the hint names the nearest that it does.
    """
    if descriptor is None or descriptor.provider not in CLOUDS:
        return None
    offer = cloud_offer(descriptor.provider)
    on_nodes = descriptor.backend == "kubernetes"
    machine = _node(descriptor, offer, compute) if on_nodes else choose_machine(descriptor, compute)
    usd, price = _price(machine, spot=compute.spot)
    fee = 1.0 if on_nodes else 1.0 + offer.managed_fee
    hourly = None if usd is None else round(usd * fee * compute.nodes, 2)
    hours = (compute.max_runtime_s or DEFAULT_S) / 3600
    size = offer.gpu.get(compute.gpu or "")
    return JobCost(
        machine=(machine.node if on_nodes else "") or machine.managed,
        nodes=compute.nodes,
        memory_gib=machine.memory_gib,
        gpus=machine.gpus,
        gpu_memory_gib=size.memory_gib if size else None,
        usd_per_hour=hourly,
        price=price,
        hours_at_most=round(hours, 2),
        usd_at_most=None if usd is None else round(usd * fee * compute.nodes * hours, 2),
        is_billed=not descriptor.emulated,
    )


def _node(descriptor: DeploymentDescriptor, offer: CloudOffer, compute: Compute) -> Machine:
    """The whole node that a pod with some of its GPUs lies on: it is paid for whole."""
    if not compute.gpu_count:
        return offer.cpu[0]
    found = offered_to(compute, descriptor)
    sold = offer.gpu[found.size].machines if found.size in offer.gpu else ()
    named = next((each for each in sold if found.machine in (each.managed, each.node)), None)
    same = next((each for each in sold if each.gpus == found.per_node), None)
    return named or same or Machine(gpus=found.per_node, managed=found.machine or "a node", node="")


def _price(machine: Machine, *, spot: bool) -> tuple[float | None, str | None]:
    if spot and machine.spot_usd_per_hour is not None:
        return machine.spot_usd_per_hour, SPOT
    if machine.usd_per_hour is None:
        return None, None
    return machine.usd_per_hour, AT_MOST if spot else ON_DEMAND
