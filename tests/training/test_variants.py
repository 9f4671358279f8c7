"""A variant is one line of the plan, or one small subclass."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from isocenter.domain import plan_names
from isocenter.domain.training_plan import builtin_plans, load_plan, parse_plan
from isocenter.errors import InputError
from isocenter_training.augmentation import BATCH_TRANSFORMS
from isocenter_training.bundle import load_network
from isocenter_training.losses import LOSSES
from isocenter_training.networks import NETWORKS, build_network
from isocenter_training.trainer import build_trainer

SUBCLASS = '''
import torch
from isocenter_training.trainer import Trainer


class WithDropout(Trainer):
    """Drops half of the features before the last layer, and counts errors on positives twice."""

    def build_network(self):
        network = super().build_network()
        network.body.fc = torch.nn.Sequential(torch.nn.Dropout(0.5), network.body.fc)
        return network

    def training_step(self, network, loss, images, labels):
        return 2 * super().training_step(network, loss, images, labels)
'''


def test_another_loss_is_one_line(trained: Any, new_job: Callable[..., Any]) -> None:
    job = new_job(loss="focal")
    assert job.run() == 0
    assert job.summary["validation_auroc"] > 0.9
    assert job.metrics[0]["loss"] != trained.metrics[0]["loss"]


@pytest.fixture
def subclass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "variant_with_dropout.py").write_text(SUBCLASS)
    monkeypatch.syspath_prepend(tmp_path)
    return "variant_with_dropout:WithDropout"


def test_subclass_trains_exports_and_loads_again(subclass: str, new_job: Callable[..., Any]) -> None:
    job = new_job(trainer=subclass)
    assert job.run() == 0
    assert job.summary["validation_auroc"] > 0.9
    network = load_network(job.model)
    assert any(isinstance(module, torch.nn.Dropout) for module in network.modules())
    image = torch.rand(2, 1, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network(image), network(image))


def test_dropout_repeats_with_the_seed(subclass: str, new_job: Callable[..., Any]) -> None:
    losses = []
    for name in ("first", "second"):
        torch.rand(3)  # what was drawn before a training must not matter to it
        job = new_job(name, trainer=subclass, budget={"epochs": 1, "batch_size": 16})
        assert job.run() == 0
        losses.append(job.metrics[0]["loss"])
    assert losses[0] == losses[1]


def test_the_domain_knows_exactly_the_names_of_the_tables() -> None:
    assert tuple(NETWORKS) == plan_names.NETWORKS
    assert tuple(LOSSES) == plan_names.LOSSES
    assert tuple(BATCH_TRANSFORMS) == plan_names.AUGMENTATIONS


def test_a_trainer_of_its_own_may_bring_names_of_its_own(subclass: str) -> None:
    given = {
        "name": "x",
        "image_size": 32,
        "network": "our-net",
        "loss": "our-loss",
        "augmentation": ["ours"],
    }
    with pytest.raises(
        InputError, match=r"network.name 'our-net'.*loss.name 'our-loss'.*augmentation.0.name"
    ):
        parse_plan(given)
    plan = parse_plan(given | {"trainer": subclass})
    with pytest.raises(InputError, match=r"network.name 'our-net' is unknown"):
        build_trainer(plan).build_network()


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_each_network_gives_a_logit_an_image(name: str) -> None:
    plan = parse_plan({"name": "x", "image_size": 32, "network": name})
    network = build_network(plan).eval()
    with torch.inference_mode():
        assert network(torch.rand(2, 1, 32, 32)).shape == (2, 1)


@pytest.mark.parametrize("name", builtin_plans())
def test_each_built_in_plan_can_be_built(name: str) -> None:
    trainer = build_trainer(load_plan(name))
    trainer.build_loss()
    trainer.build_augmentation()
    assert trainer.build_optimizer(trainer.build_network()).param_groups


@pytest.mark.parametrize("gain", [0.25, 4.0])
def test_gain_and_offset_of_a_scanner_do_not_change_the_logit(gain: float) -> None:
    torch.manual_seed(0)
    plan = parse_plan({"name": "x", "image_size": 32, "network": "resnet10"})
    network = build_network(plan).eval()
    image = torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network(image * gain + 0.1), network(image), atol=1e-3, rtol=1e-3)
