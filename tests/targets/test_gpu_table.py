"""The table of GPU sizes in the documentation is that of the code."""

from pathlib import Path

from isocenter.clouds.offer import CLOUDS, GPU_SIZES, Machine, cloud_offer

DOCUMENT = Path(__file__).parents[2] / "docs" / "training-on-a-target.md"
HEAD = "| size | GPU memory | cloud | GPUs | machine | USD an hour | spot |"


def price(amount: float | None) -> str:
    return "–" if amount is None else f"{amount:.2f}"


def machine_type(machine: Machine) -> str:
    return f"`{machine.managed}`" if machine.managed.removeprefix("ml.") == machine.node else "?"


def row(size: str, memory_gib: int, cloud: str, machine: Machine) -> str:
    prices = f"{price(machine.usd_per_hour)} | {price(machine.spot_usd_per_hour)}"
    return f"| {size} | {memory_gib} GiB | {cloud} | {machine.gpus} | {machine_type(machine)} | {prices} |"


def rows() -> list[str]:
    offers = [cloud_offer(cloud) for cloud in CLOUDS]
    return [
        row(size, offer.gpu[size].memory_gib, offer.title, machine)
        for size in GPU_SIZES
        for offer in offers
        if size in offer.gpu
        for machine in offer.gpu[size].machines
    ]


def test_the_documents_table_is_what_the_code_asks_the_clouds_for() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text.partition(f"{HEAD}\n")[2].partition("\n\n")[0].splitlines()[1:]
    assert table == rows(), "\n" + "\n".join(rows())
