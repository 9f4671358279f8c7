"""What a network scores on the validation images, in float32: the precision that is exported and served."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isocenter_training.batches import Images
from isocenter_training.distributed import Group

_BATCH_SIZE = 64


@dataclass(frozen=True)
class Validation:
    """Scores on the validation split.

    Args:
        auroc: area under the receiver operating characteristic.
        loss: mean of the plan's loss.
    """

    auroc: float
    loss: float


def validate(network: nn.Module, loss: nn.Module, images: Images, group: Group) -> Validation:
    """Score ``network`` on ``images``; every process takes a share and gets the same answer.

    Args:
        network: left in evaluation mode.
    """
    from sklearn.metrics import roc_auc_score

    shares = group.gather(_logits(network.eval(), images.share(group.rank, group.size)))
    logits = torch.empty(len(images.rows))
    for rank, share in enumerate(shares):
        logits[rank :: group.size] = share
    labels = torch.from_numpy(images.labels)
    if not bool(torch.isfinite(logits).all()):
        return Validation(0.5, float("inf"))
    with torch.inference_mode():
        mean = loss(logits[:, None].to(images.device), labels[:, None].to(images.device))
    return Validation(float(roc_auc_score(labels.numpy(), logits.numpy())), float(mean))


def _logits(network: nn.Module, images: Images) -> Tensor:
    with torch.inference_mode():
        parts = [network(batch.images)[:, 0].float().cpu() for batch in images.in_order(_BATCH_SIZE)]
    return torch.cat(parts) if parts else torch.empty(0)
