"""How many instances the settings of a deployment give an endpoint, as its descriptor has them."""

from isocenter.domain.rollout import Rollout, Scaling
from isocenter.errors import InputError
from isocenter.targets.target import Target


def bounds_of(target: Target, endpoint: str) -> Scaling | None:
    """The bounds of ``endpoint``; None where the settings don't name it."""
    descriptor = target.descriptor
    found = descriptor.endpoint_bounds.get(endpoint) if descriptor else None
    return Scaling(found.min_instances, found.max_instances) if found else None


def check_bounds(rollout: Rollout, target: Target) -> None:
    """Raise if ``rollout`` goes beyond what its endpoint may have.

    Raises:
        InputError: it does; the message says which bounds there are.
    """
    bounds, asked = bounds_of(target, rollout.endpoint), rollout.scaling
    if bounds is None:
        return
    if asked.min_instances < bounds.min_instances or asked.max_instances > bounds.max_instances:
        raise InputError(
            f"Endpoint {rollout.endpoint} would have {_words(asked)}; the deployment {target.name} allows"
            f" {_words(bounds)}.",
            hint="Stay within by --min-instances and --max-instances, or change endpoints in the deployment's"
            " settings and run make deploy.",
        )


def _words(bounds: Scaling) -> str:
    return f"{bounds.min_instances} to {bounds.max_instances} instances"
