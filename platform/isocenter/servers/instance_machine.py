"""What an endpoint's instances are: the smallest machine with what was asked for, and the image on it."""

from isocenter.backends.machine_choice import choose_machine
from isocenter.clouds.offer import Machine, cloud_offer
from isocenter.domain.rollout import InstanceSize
from isocenter.domain.training_job import Compute
from isocenter.errors import InputError
from isocenter.targets.descriptor import DeploymentDescriptor


def instance_machine(descriptor: DeploymentDescriptor, size: InstanceSize) -> Machine:
    """The machine type for ``size`` on a target in a cloud.

    Raises:
        InputError: the cloud or the deployment has none; the hint names what is near.
    """
    if size.gpu is not None:
        return choose_machine(descriptor, Compute(gpu=size.gpu, gpu_count=1))
    found = cloud_offer(descriptor.provider).endpoint_machine(size.cpus, size.memory_gib)
    return Machine(gpus=0, managed=found.managed, node="")


def serving_image(image: str | None, descriptor: DeploymentDescriptor) -> str:
    """The image that was asked for, or the target's; by digest.

    Raises:
        InputError: there is none, or it is named by a tag.
    """
    chosen = image or str(descriptor.settings.get("images", {}).get("serving", ""))
    if not chosen:
        raise InputError(
            f"The target {descriptor.name} has no serving image, and the rollout names none.",
            hint="make image IMAGE=serving builds and pushes one; or --image REFERENCE@sha256:...",
        )
    _, _, digest = chosen.partition("@sha256:")
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise InputError(
            f"The image {chosen!r} is not named by its digest: a tag may name another image tomorrow.",
            hint="Write REFERENCE@sha256:...",
        )
    return chosen
