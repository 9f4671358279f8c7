"""Which of Azure's machines carries the GPUs that the settings ask for."""

from isocenter.clouds.offer import Machine, cloud_offer
from isocenter.targets.settings import GpuSettings


def machine_for(gpu: GpuSettings) -> Machine:
    """The machine with ``gpu.per_node`` GPUs of its size; the settings' validator saw that there is one."""
    return next(found for found in cloud_offer("azure").machines(gpu.size) if found.gpus == gpu.per_node)
