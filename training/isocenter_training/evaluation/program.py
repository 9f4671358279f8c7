"""``python -m isocenter_training evaluate``: what the training container does for the evaluate step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from isocenter_training.evaluation.parameters import read_parameters

if TYPE_CHECKING:
    from isocenter_training.contract import RunContext


def run(context: "RunContext") -> None:
    """Evaluate the bundle in the input channel ``model`` on the dataset in ``dataset``.

    Writes evaluation.json, decision.json, report.html and predictions.parquet to ``context.output_dir``;
    with the same inputs and parameters, the same bytes. Of several processes only rank 0 works.

    Raises:
        InputError: a channel, the bundle, the dataset or a parameter can't be used.
        IntegrityError: the network can't be run or gives no finite logits.
    """
    if context.rank != 0:
        return
    from isocenter.datasets import open_dataset
    from isocenter_training.evaluation.evaluate import evaluate
    from isocenter_training.evaluation.outputs import write_outputs
    from isocenter_training.evaluation.report import render_report
    from isocenter_training.evaluation.trained_bundle import open_bundle

    parameters = read_parameters(context.parameters)
    dataset, bundle = open_dataset(context.input("dataset")), open_bundle(context.input("model"))
    with _progress() as progress:
        evaluation = evaluate(dataset, bundle, parameters, progress)
    html = render_report(evaluation, dataset, bundle, parameters)
    write_outputs(context.output_dir, evaluation, dataset, html)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Reports images scored: a bar on a terminal, else JSON lines."""
    from isocenter_training.progress import reporter

    reports = reporter("evaluate")
    started = False

    def note(done: int, total: int) -> None:
        nonlocal started
        if not started:
            reports.start(0, total)
            started = True
        reports.step(done)

    try:
        yield note
    finally:
        reports.close()
