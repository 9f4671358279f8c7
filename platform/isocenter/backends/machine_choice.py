"""Which machine type a job gets: what it asks for, out of what the deployment has and the cloud sells."""

from collections.abc import Sequence

from isocenter.clouds.offer import GPU_SIZES, Machine, cloud_offer
from isocenter.domain.training_job import Compute
from isocenter.errors import InputError
from isocenter.targets.descriptor import DeploymentDescriptor, GpuOnOffer


def choose_machine(descriptor: DeploymentDescriptor, compute: Compute) -> Machine:
    """The machine type for ``compute`` on a target in a cloud.

    Raises:
        InputError: the deployment doesn't offer it; the hint names the nearest that it does.
    """
    offer = cloud_offer(descriptor.provider)
    if not compute.gpu_count:
        own = descriptor.settings.get("cpu_machine")
        return (offer.named(own) or Machine(gpus=0, managed=own, node="")) if own else offer.cpu[0]
    assert compute.gpu is not None  # noqa: S101 - a count comes with a size
    try:
        machines = offer.machines(compute.gpu)
    except InputError as error:
        raise InputError(error.message, hint=f"{error.hint} {_offered(descriptor)}") from error
    found = [each for each in descriptor.gpu if (each.size, each.per_node) == _wanted(compute)]
    if not found:
        if compute.gpu_count not in {machine.gpus for machine in machines}:
            raise _not_sold(offer.title, machines, descriptor, compute)
        raise _not_on_offer(descriptor, compute)
    _refuse_too_much(descriptor, found[0], compute)
    sold = next((machine for machine in machines if machine.managed == found[0].machine), None)
    return sold or Machine(gpus=compute.gpu_count, managed=found[0].machine, node="")


def _wanted(compute: Compute) -> tuple[str | None, int]:
    return compute.gpu, compute.gpu_count


def _not_sold(
    title: str, machines: Sequence[Machine], descriptor: DeploymentDescriptor, compute: Compute
) -> InputError:
    sold = sorted({machine.gpus for machine in machines}, key=lambda count: abs(count - compute.gpu_count))
    near = ", ".join(f"{compute.gpu} x {count}" for count in sold[:3])
    return InputError(
        f"{title} sells no machine with {compute.gpu} x {compute.gpu_count}.",
        hint=f"Nearest that it sells: {near}. {_offered(descriptor)}",
    )


def _offered(descriptor: DeploymentDescriptor) -> str:
    offered = ", ".join(f"{each.size} x {each.per_node}" for each in descriptor.gpu) or "no GPU"
    return f"The target {descriptor.name} offers: {offered}."


def _not_on_offer(descriptor: DeploymentDescriptor, compute: Compute) -> InputError:
    what = f"{compute.gpu} x {compute.gpu_count}"
    if not descriptor.gpu:
        return InputError(
            f"The target {descriptor.name} offers no GPU; the job asks for {what}.",
            hint=f"List it under compute.gpu in deployments/{descriptor.name}.yaml and deploy again.",
        )
    near = sorted(descriptor.gpu, key=lambda each: _distance(each, compute))[:2]
    return InputError(
        f"The target {descriptor.name} doesn't offer {what}.",
        hint="Nearest: " + ", ".join(f"{each.size} x {each.per_node}" for each in near) + ".",
    )


def _distance(offered: GpuOnOffer, compute: Compute) -> tuple[int, int]:
    known = [*GPU_SIZES]
    size = compute.gpu or ""
    if offered.size not in known or size not in known:
        return len(known), 0
    return abs(known.index(offered.size) - known.index(size)), abs(offered.per_node - compute.gpu_count)


def _refuse_too_much(descriptor: DeploymentDescriptor, offered: GpuOnOffer, compute: Compute) -> None:
    what = f"{offered.size} x {offered.per_node}"
    if compute.nodes > offered.max_nodes:
        raise InputError(
            f"The target {descriptor.name} offers {what} on {offered.max_nodes} machines at most;"
            f" the job asks for {compute.nodes}."
        )
    if compute.spot and not offered.spot:
        raise InputError(
            f"The target {descriptor.name} offers {what} not as spot machines.",
            hint=f"Ask without spot, or set it in deployments/{descriptor.name}.yaml and deploy again.",
        )
