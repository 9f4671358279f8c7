"""Where the result of a job that was not run again came from: which run, which target, which program."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from isocenter.domain.run import RunId
from isocenter.errors import NotFoundError
from isocenter.home import Home
from isocenter.pipelines.step import Outputs
from isocenter.registry.runs import Run, RunRecords

_DONE = {"train": "trained", "evaluate": "evaluated"}


@dataclass(frozen=True)
class Origin:
    """The run that a step's result is from.

    Args:
        run: its id.
        target: where it ran.
        image: what it ran, by digest; None: the program installed beside this store.
        machines: e.g. ``2 machines with l4 x 1``; ``CPUs`` for one without a GPU.
    """

    run: RunId
    target: str
    image: str | None
    machines: str

    def as_json(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return asdict(self)

    def sentence(self, step: str) -> str:
        """What the step says of itself when it is taken from here."""
        program = self.image or "the program installed here"
        done = _DONE.get(step, "done")
        return f"{step} reused from run {self.run}, {done} on {self.target} with {program} ({self.machines})"


def origins(home: Home, done: Mapping[str, Outputs]) -> dict[str, Origin]:
    """Step -> where it came from, for those of ``done`` (step -> outputs) that are jobs."""
    from isocenter.storage.database import open_database

    records = RunRecords(open_database(home))
    found: dict[str, Origin] = {}
    for step, outputs in done.items():
        if "run" not in outputs:
            continue
        try:
            found[step] = _origin(records.get(outputs["run"]))
        except NotFoundError:  # the store's records were begun anew; its cache was not
            found[step] = Origin(outputs["run"], "an unknown target", None, "unknown machines")
    return found


def _origin(run: Run) -> Origin:
    compute = run.job.get("compute", {})
    gpus = f"{compute['gpu']} x {compute['gpu_count']}" if compute.get("gpu") else "CPUs"
    nodes = compute.get("nodes", 1)
    machines = gpus if nodes == 1 else f"{nodes} machines with {gpus}"
    return Origin(run.id, run.target, run.job.get("image"), machines)
