"""Grad-CAM: which parts of the X-ray raised the score (Selvaraju et al., ICCV 2017), by MONAI."""

from typing import TYPE_CHECKING, Any

import numpy as np

from isocenter.errors import InputError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


def last_feature_map(network: "torch.nn.Module", size: int) -> str:
    """Name of the module whose output is the last feature map with more than one pixel.

    Found by one forward pass, so it fits residual and dense networks and their wrappers alike: ``layer4``
    of MONAI's ResNet, ``class_layers.relu`` of its DenseNet.

    Args:
        network: takes [N, 1, size, size].
        size: rows and columns.

    Raises:
        InputError: no module gives such a map.
    """
    import torch

    seen: list[str] = []

    def note(name: str, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4 and min(output.shape[1:]) > 1:
            seen.append(name)

    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output, name=name: note(name, output))
        for name, module in network.named_modules()
        if name
    ]
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 1, size, size))
    finally:
        for hook in hooks:
            hook.remove()
    once = [name for name in seen if seen.count(name) == 1]
    if not once:
        raise InputError("The network has no convolutional feature map for Grad-CAM.")
    return once[-1]


def compute_maps(network: "torch.nn.Module", images: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Grad-CAM maps of the positive class's logit.

    Args:
        network: takes [N, 1, S, S] and gives [N, 1].
        images: float32 [N, S, S], 0..1.

    Returns:
        float32 [N, S, S]; the largest value of each map is 1, or all are 0 where nothing raised the score.
    """
    import torch
    from monai.visualize.class_activation_maps import GradCAM

    network.requires_grad_(True)
    cam = GradCAM(
        network, last_feature_map(network, images.shape[-1]), postprocessing=lambda maps: maps.detach()
    )
    # Gradients down to the input: torch warns of hooks on a first layer without.
    inputs = (torch.from_numpy(image[None, None]).requires_grad_(True) for image in images)
    maps = [cam(image, class_idx=0)[0, 0].numpy() for image in inputs]
    return np.stack([each / max(float(each.max()), 1e-12) for each in maps]).astype(np.float32)
