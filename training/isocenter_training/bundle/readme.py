"""docs/README.md of a bundle."""

from isocenter.domain.dataset import DatasetVersion
from isocenter.domain.training_plan import TrainingPlan
from isocenter_training.bundle.provenance import Provenance

_TEXT = """\
# {plan.name}

{description}

Tells **{positive}** from **{negative}** on a single radiograph. The network gives one logit; a score and
a decision need the temperature and threshold that evaluation chose on validation images
(`configs/decision.json` in a registered model).

| | |
|---|---|
| network | {plan.network.name}, input {plan.image_size} x {plan.image_size}, one channel |
| dataset | `{dataset.digest}`: {dataset.images} images of {dataset.patients} patients |
| trained | {provenance.epochs} epochs, {provenance.precision}, seed {plan.seed} |
| weights of | epoch {provenance.best_epoch}: validation AUROC {provenance.validation_auroc:.4f} |

## Files

- `models/model.onnx`: input `image` float32 [N, 1, {plan.image_size}, {plan.image_size}] in 0..1 (white is
  dense, aspect kept, padded with 0), output `logit` float32 [N, 1]. Normalisation is in the graph.
- `models/model.safetensors`: the same for torch: `isocenter_training.bundle.load_network(DIR)`.
- `configs/plan.json`: what was trained; `configs/preprocessing.json`: what happens to pixels before.
- `configs/inference.json`: for MONAI, with `isocenter-training` and `fire` installed:

      python -m monai.bundle run run --config_file configs/inference.json --bundle_root . --files "['a.dcm']"

- `reference_profile.json`: what the training images looked like, to compare new ones with.
"""


def render_readme(plan: TrainingPlan, dataset: DatasetVersion, provenance: Provenance) -> str:
    """The text, a function of its arguments."""
    negative, positive = dataset.classes
    return _TEXT.format(
        plan=plan,
        dataset=dataset,
        provenance=provenance,
        negative=negative,
        positive=positive,
        description=plan.description or "An image classifier trained by Isocenter.",
    )
