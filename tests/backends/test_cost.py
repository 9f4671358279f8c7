"""What a job is said to cost, from the clouds' tables: which machine, which price, for how long."""

from typing import Any

import pytest

from isocenter.backends.cost import AT_MOST, ON_DEMAND, SPOT, estimate_cost, estimate_costs
from isocenter.clouds.offer import CLOUDS, cloud_offer
from isocenter.domain.training_job import Compute
from isocenter.targets.descriptor import DeploymentDescriptor

L4 = Compute(gpu="l4", gpu_count=1)


def target(provider: str, backend: str, **fields: Any) -> DeploymentDescriptor:
    machine = {"aws": "ml.g6.2xlarge", "gcp": "g2-standard-8"}.get(provider, "")
    gpu = [{"size": "l4", "per_node": 1, "max_nodes": 4, "machine": machine, "spot": True}]
    values = {"name": "there", "provider": provider, "backend": backend, "gpu": gpu}
    return DeploymentDescriptor.model_validate(values | fields)


@pytest.mark.parametrize(
    ("provider", "backend", "compute", "hourly", "price", "at_most"),
    [
        # A day where no time limit is asked for.
        ("aws", "sagemaker", L4, 1.22, ON_DEMAND, 29.33),
        # AWS's spot prices aren't in the table.
        ("aws", "sagemaker", Compute("l4", 1, spot=True, max_runtime_s=6 * 3600), 1.22, AT_MOST, 7.33),
        # GCP's are; Vertex AI adds its fee, GKE doesn't.
        ("gcp", "vertex", Compute("l4", 1, nodes=2, spot=True, max_runtime_s=3600), 0.78, SPOT, 0.78),
        ("gcp", "kubernetes", Compute("l4", 1, max_runtime_s=3600), 0.85, ON_DEMAND, 0.85),
        ("azure", "azureml", Compute(max_runtime_s=7200), 0.45, ON_DEMAND, 0.9),
    ],
)
def test_price_machine_and_time(
    provider: str, backend: str, compute: Compute, hourly: float, price: str, at_most: float
) -> None:
    cost = estimate_cost(target(provider, backend), compute)
    assert cost is not None
    assert (cost.usd_per_hour, cost.price, cost.usd_at_most) == (hourly, price, at_most)
    assert cost.memory_gib == 32
    assert cost.gpu_memory_gib == (24 if compute.gpu else None)
    assert price in cost.sentence


def test_a_pod_pays_for_its_whole_node() -> None:
    gpu = [{"size": "l4", "per_node": 4, "max_nodes": 4, "machine": "g6.12xlarge"}]
    cost = estimate_cost(target("aws", "kubernetes", gpu=gpu), L4)
    assert cost is not None
    assert (cost.machine, cost.gpus, cost.usd_per_hour) == ("g6.12xlarge", 4, 5.75)


def test_the_jobs_of_a_pipeline_are_added_up() -> None:
    jobs = {"train": Compute("l4", 1, nodes=2), "evaluate": L4}
    costs = estimate_costs(target("aws", "sagemaker"), jobs)
    assert costs is not None
    assert costs.usd_at_most == round(58.66 + 29.33, 2)
    assert costs.as_json()["evaluate"]["usd_at_most"] == 29.33
    assert costs.sentence.endswith("together at most 87.99 USD")


def test_a_machine_that_is_not_in_the_table_has_no_price() -> None:
    cost = estimate_cost(target("gcp", "vertex", settings={"cpu_machine": "c9-huge"}), Compute())
    assert cost is not None
    assert (cost.machine, cost.usd_at_most, cost.price) == ("c9-huge", None, None)
    assert "no list price known" in cost.sentence
    known = estimate_cost(target("gcp", "vertex", settings={"cpu_machine": "n2-standard-32"}), Compute())
    assert known is not None
    assert known.memory_gib == 128


def test_a_hospitals_own_machines_are_billed_by_nobody() -> None:
    assert estimate_cost(target("onprem", "kubernetes"), Compute()) is None
    assert estimate_costs(None, {"train": Compute()}) is None


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_machine_has_its_memory_and_price(cloud: str) -> None:
    offer = cloud_offer(cloud)
    for machine in (*offer.cpu, *(each for size in offer.gpu.values() for each in size.machines)):
        assert machine.memory_gib, machine.managed
        assert machine.usd_per_hour, machine.managed
