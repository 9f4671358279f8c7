"""The machines that carry a GPU size here."""

from isocenter.clouds.offer import Machine, cloud_offer
from isocenter.targets.settings import GpuSettings


def machine_of(gpu: GpuSettings) -> Machine:
    """The machine type with the size and number of GPUs that the settings ask for."""
    return next(machine for machine in cloud_offer("gcp").machines(gpu.size) if machine.gpus == gpu.per_node)


def smallest(gpu: GpuSettings) -> Machine:
    """The machine type with one of these GPUs, or with the fewest."""
    return cloud_offer("gcp").machines(gpu.size)[0]


def pool_name(gpu: GpuSettings) -> str:
    """A name for what is made of each kind of GPU."""
    return f"{gpu.size}-{gpu.per_node}{'-spot' if gpu.spot else ''}"
