"""A step that is one job, and whose outputs are published as artifacts."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from isocenter.domain.artifact import Artifact, MediaType
from isocenter.domain.run import RunId
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import JobFailedError, NotFoundError
from isocenter.pipelines.job import JobLauncher
from isocenter.pipelines.step import Execution, Outputs, Results, Step, Subject
from isocenter.pipelines.workspace import workspace
from isocenter.storage.artifacts import ArtifactStore


def _nothing(_: Results) -> None:
    return None


def job_step(
    name: str,
    launcher: JobLauncher,
    job: Callable[[Results], TrainingJob],
    *,
    inputs: Callable[[Results], Mapping[str, Any]],
    publishes: Mapping[str, MediaType],
    subject: Callable[[Results, Outputs], Subject] | None = None,
    check: Callable[[Results], None] = _nothing,
) -> Step:
    """A step that runs one job and publishes what it left.

    Args:
        name: the step's name.
        launcher: runs the job.
        job: makes the job from the outputs of the steps before.
        inputs: what decides the result; see :class:`Step`.
        publishes: which of the job's outputs (``model``, ``output``) to publish as what; each must be there.
        subject: see :class:`Step`.
        check: raises where the inputs in this store must not be read; see :meth:`JobLauncher.finish`.

    The step's outputs are ``run`` and, under the name of each published output, ``digest`` and ``size``.
    """
    store = ArtifactStore(launcher.records.home)

    def run(key: str, results: Results) -> RunId:
        return launcher.run_for(job(results), key)

    def action(execution: Execution) -> Outputs:
        results = execution.results
        left = launcher.finish(name, job(results), execution.run, execution.key, check=lambda: check(results))
        with workspace(launcher.records.home, execution.key) as folder:
            published = _publish(store, name, launcher.collect(left, folder), publishes)
        return {"run": execution.run, **published}

    def settle(execution: Execution, outputs: Outputs) -> None:
        launcher.settle(execution.run, _artifacts(store, outputs, publishes))

    def there(outputs: Outputs) -> bool:
        return all(is_intact(store, outputs[part]["digest"]) for part in publishes)

    def plain_subject(_: Results, outputs: Outputs) -> Subject:
        return Subject(f"run:{outputs['run']}")

    return Step(name, inputs, action, there, run, subject or plain_subject, settle)


def is_intact(store: ArtifactStore, digest: str) -> bool:
    """Whether the artifact is in the store. All its files are read: a cached step vouches for them.

    Raises:
        IntegrityError: it is there and damaged.
    """
    try:
        store.verify(digest)
    except NotFoundError:
        return False
    return True


def _artifacts(
    store: ArtifactStore, outputs: Outputs, publishes: Mapping[str, MediaType]
) -> Sequence[Artifact]:
    found = {part: outputs[part] for part in publishes}
    return [
        Artifact(part, it["digest"], publishes[part], str(store.path(it["digest"])), it["size"])
        for part, it in found.items()
    ]


def _publish(
    store: ArtifactStore, name: str, folders: Mapping[str, Path], publishes: Mapping[str, MediaType]
) -> dict[str, Any]:
    if missing := publishes.keys() - folders.keys():
        raise JobFailedError(f"The {name} job ended well but left no {' and no '.join(sorted(missing))}.")
    published = [store.publish(folders[part], name=part, media_type=kind) for part, kind in publishes.items()]
    return {artifact.name: {"digest": artifact.digest, "size": artifact.size} for artifact in published}
