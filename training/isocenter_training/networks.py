"""Networks by name: MONAI's classifiers with one input channel and one logit, standardisation inside.

To add one, add a line to :data:`NETWORKS` and its name to :mod:`isocenter.domain.plan_names`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isocenter.domain.training_plan import TrainingPlan
from isocenter.errors import InputError

if TYPE_CHECKING:
    from torch import nn

_RESNET = {"spatial_dims": 2, "n_input_channels": 1, "num_classes": 1}
_DENSENET = {"spatial_dims": 2, "in_channels": 1, "out_channels": 1}
_SENET = {"spatial_dims": 2, "in_channels": 1, "num_classes": 1}
_EFFICIENTNET = {"spatial_dims": 2, "in_channels": 1, "num_classes": 1, "pretrained": False}

NETWORKS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "resnet10": ("resnet10", _RESNET),
    "resnet18": ("resnet18", _RESNET),
    "resnet34": ("resnet34", _RESNET),
    "resnet50": ("resnet50", _RESNET),
    "resnet101": ("resnet101", _RESNET),
    "densenet121": ("DenseNet121", _DENSENET),
    "densenet169": ("DenseNet169", _DENSENET),
    "densenet201": ("DenseNet201", _DENSENET),
    "seresnet50": ("SEResNet50", _SENET),
    "seresnext50": ("SEResNext50", _SENET),
    "efficientnet-b0": ("EfficientNetBN", _EFFICIENTNET | {"model_name": "efficientnet-b0"}),
    "efficientnet-b1": ("EfficientNetBN", _EFFICIENTNET | {"model_name": "efficientnet-b1"}),
    "efficientnet-b2": ("EfficientNetBN", _EFFICIENTNET | {"model_name": "efficientnet-b2"}),
}
"""Plan name -> class in ``monai.networks.nets`` and the arguments that are not the plan's to choose."""

_REFUSED = frozenset({"pretrained", "progress"})


def build_network(plan: TrainingPlan) -> "nn.Module":
    """The plan's network, freshly initialised from torch's global random generator.

    Returns:
        A module from float32 [N, 1, S, S] in 0..1 to one logit [N, 1] of the positive class.

    Raises:
        InputError: the network or one of its arguments is unknown, or it can't take the plan's image size
            (the message names the plan's field).
    """
    from torch import nn

    from isocenter_training.normalisation import Standardise

    body = _body(plan)
    network = nn.Sequential()
    if plan.normalisation == "standardise":
        network.add_module("normalisation", Standardise())
    network.add_module("body", body)
    _check(network, plan)
    return network


def _body(plan: TrainingPlan) -> "nn.Module":
    import monai.networks.nets as nets

    name, arguments = plan.network.name, plan.network.arguments
    if name not in NETWORKS:
        raise InputError(
            f"The plan's network.name {name!r} is unknown.", hint=f"Known: {', '.join(sorted(NETWORKS))}."
        )
    class_name, fixed = NETWORKS[name]
    for argument in arguments:
        if argument in fixed or argument in _REFUSED:
            raise InputError(f"The plan's network.arguments.{argument} can't be chosen for {name}.")
    try:
        network: nn.Module = getattr(nets, class_name)(**fixed, **arguments)
    except (TypeError, ValueError, AssertionError, KeyError, NotImplementedError) as error:
        raise InputError(f"The plan's network.arguments don't fit {name}: {error}") from error
    return network


def _check(network: "nn.Module", plan: TrainingPlan) -> None:
    import torch

    size = plan.image_size
    try:
        with torch.inference_mode():
            logit = network.eval()(torch.zeros(1, 1, size, size))
    except RuntimeError as error:
        raise InputError(f"The plan's network can't take image_size {size}: {error}") from error
    finally:
        network.train()
    if not isinstance(logit, torch.Tensor) or tuple(logit.shape) != (1, 1):
        raise InputError("The plan's network.arguments make a network that doesn't give one logit an image.")
