"""Names that a training plan may use, so that a wrong one is found before anything is ingested or started.

The platform never imports the training program, so the names are here too; a test holds the program's tables
against them. A plan with a trainer of its own may bring its own names.
"""

from collections.abc import Iterator, Sequence

NETWORKS = (
    *("resnet10", "resnet18", "resnet34", "resnet50", "resnet101"),
    *("densenet121", "densenet169", "densenet201"),
    *("seresnet50", "seresnext50"),
    *("efficientnet-b0", "efficientnet-b1", "efficientnet-b2"),
)
LOSSES = ("cross_entropy", "focal")
AUGMENTATIONS = ("affine", "gamma", "noise", "erase")
"""Those of the training program itself. A name with a capital is one of MONAI's, which only the job knows."""


def unknown_names(network: str, loss: str, augmentation: Sequence[str]) -> Iterator[str]:
    """What is wrong with the names of a plan's parts: ``loss.name 'focl' is unknown (known: ...)``."""
    yield from _unknown("network.name", network, NETWORKS)
    yield from _unknown("loss.name", loss, LOSSES)
    for index, name in enumerate(augmentation):
        if not name[:1].isupper():
            yield from _unknown(f"augmentation.{index}.name", name, AUGMENTATIONS)


def _unknown(field: str, name: str, known: Sequence[str]) -> Iterator[str]:
    if name not in known:
        yield f"{field} {name[:80]!r} is unknown (known: {', '.join(known)})"
