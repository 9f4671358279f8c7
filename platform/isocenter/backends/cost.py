"""What a job will cost about: the list price of the machines that its target would give it."""

from dataclasses import dataclass

from isocenter.backends.machine_choice import choose_machine
from isocenter.clouds.offer import CLOUDS, Machine
from isocenter.domain.training_job import Compute
from isocenter.targets.descriptor import DeploymentDescriptor


@dataclass(frozen=True)
class CostEstimate:
    """An estimate from list prices (``clouds/*.yaml``); discounts, storage and traffic are not in it.

    Args:
        machine: type name in the cloud's own terms.
        nodes: how many.
        usd_per_hour: of all of them; None where no list price is known.
        usd_at_most: for the maximum run time; None where there is none.
    """

    machine: str
    nodes: int
    usd_per_hour: float | None
    usd_at_most: float | None


def estimate_cost(descriptor: DeploymentDescriptor | None, compute: Compute) -> CostEstimate | None:
    """What ``compute`` costs on a target; None where nobody sends a bill for it.

    Raises:
        InputError: the deployment doesn't offer it; the hint names the nearest that it does.
    """
    if descriptor is None or descriptor.provider not in CLOUDS:
        return None
    machine = choose_machine(descriptor, compute)
    price = _price(machine, spot=compute.spot)
    hourly = None if price is None else round(price * compute.nodes, 2)
    limit = compute.max_runtime_s
    at_most = None if hourly is None or limit is None else round(hourly * limit / 3600, 2)
    name = machine.node if descriptor.backend == "kubernetes" and machine.node else machine.managed
    return CostEstimate(name, compute.nodes, hourly, at_most)


def _price(machine: Machine, *, spot: bool) -> float | None:
    return machine.spot_usd_per_hour if spot else machine.usd_per_hour
