"""A straightforward MONAI training script, as its tutorials teach: the other side of the bench.

    python bench/time_to_auroc_monai.py pneumonia_28.npz [--target 0.97] [--epochs 10] [--images N]

DenseNet121, CacheDataset, DataLoader, Adam with its defaults, random flip, rotation and zoom, 64 x 64 input.
Prints a JSON line an epoch: epoch, seconds since the process started, validation_auroc.
"""

import time

BEGIN = time.time()

import argparse  # noqa: E402
import json  # noqa: E402

import monai  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from monai.data import CacheDataset, DataLoader, decollate_batch  # noqa: E402
from monai.metrics import ROCAUCMetric  # noqa: E402
from monai.networks.nets import DenseNet121  # noqa: E402
from monai.transforms import (  # noqa: E402
    Activations,
    AsDiscrete,
    Compose,
    EnsureChannelFirstd,
    EnsureTyped,
    RandFlipd,
    RandRotated,
    RandZoomd,
    Resized,
    ScaleIntensityd,
)

SIZE = 64


def read(path: str, images: int | None) -> tuple[list[dict], list[dict]]:
    with np.load(path) as archive:
        both = []
        for split in ("train", "val"):
            pixels, labels = archive[f"{split}_images"][:images], archive[f"{split}_labels"][:images]
            both.append([{"image": p, "label": int(y[0])} for p, y in zip(pixels, labels, strict=True)])
    return both[0], both[1]


def transforms() -> tuple[Compose, Compose]:
    fixed = [
        EnsureChannelFirstd("image", channel_dim="no_channel"),
        ScaleIntensityd("image"),
        Resized("image", (SIZE, SIZE)),
    ]
    random = [
        RandRotated("image", range_x=np.pi / 12, prob=0.5, keep_size=True),
        RandFlipd("image", spatial_axis=1, prob=0.5),
        RandZoomd("image", min_zoom=0.9, max_zoom=1.1, prob=0.5),
    ]
    return Compose([*fixed, *random, EnsureTyped("image")]), Compose([*fixed, EnsureTyped("image")])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("--target", type=float, default=0.97)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--images", type=int)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    monai.utils.set_determinism(arguments.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    train_files, validation_files = read(arguments.source, arguments.images)
    train_transforms, validation_transforms = transforms()
    train_set = CacheDataset(train_files, train_transforms, progress=False)
    validation_set = CacheDataset(validation_files, validation_transforms, progress=False)
    train_loader = DataLoader(train_set, batch_size=32, shuffle=True, num_workers=2)
    validation_loader = DataLoader(validation_set, batch_size=32, num_workers=2)

    model = DenseNet121(spatial_dims=2, in_channels=1, out_channels=2).to(device)
    loss_function = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters())
    metric = ROCAUCMetric()
    softmax, one_hot = Compose([Activations(softmax=True)]), Compose([AsDiscrete(to_onehot=2)])

    for epoch in range(1, arguments.epochs + 1):
        model.train()
        for batch in train_loader:
            images, labels = batch["image"].to(device), batch["label"].to(device)
            optimizer.zero_grad()
            loss_function(model(images), labels).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            outputs = [(model(b["image"].to(device)), b["label"].to(device)) for b in validation_loader]
        predicted = [softmax(i) for i in decollate_batch(torch.cat([o for o, _ in outputs]), detach=False)]
        truth = [one_hot(i) for i in decollate_batch(torch.cat([y for _, y in outputs]), detach=False)]
        metric(predicted, truth)
        auroc = float(metric.aggregate())
        metric.reset()
        seconds = round(time.time() - BEGIN, 2)
        print(json.dumps({"epoch": epoch, "seconds": seconds, "validation_auroc": auroc}), flush=True)
        if auroc >= arguments.target:
            break


if __name__ == "__main__":
    main()
