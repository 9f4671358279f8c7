"""Taking up at the site what a service's pipeline left: the ordinary steps, but for the jobs' work.

Training and evaluation enter the store as if their jobs had been run from here. The gate is applied again: a
verdict from elsewhere is only a claim.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from isocenter.domain.artifact import Artifact, MediaType
from isocenter.domain.evaluation import EvaluationReport
from isocenter.domain.run import JobState, JobStatus, RunId, new_run_id
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import IntegrityError
from isocenter.pipelines.executions import PipelineExecution
from isocenter.pipelines.observer import Observer
from isocenter.pipelines.records import Records
from isocenter.pipelines.registration_file import read_registration
from isocenter.pipelines.runner import Runner
from isocenter.pipelines.staging import fetch
from isocenter.pipelines.step import Execution, Outputs, Results, Step, StepResult
from isocenter.pipelines.training import PIPELINE, TrainingPipeline
from isocenter.pipelines.workspace import workspace
from isocenter.storage.artifacts import ArtifactStore
from isocenter.targets.descriptor import DeploymentDescriptor

_PUBLISHES = {
    "train": {"model": ("model", MediaType.BUNDLE), "output": ("output", MediaType.FILES)},
    "evaluate": {"output": ("evaluation", MediaType.EVALUATION)},
}
"""Step -> its output -> which of the parts that is, and what it holds."""


@dataclass(frozen=True)
class TakeUp:
    """One execution's model, on its way in.

    Args:
        execution: what was submitted.
        records: the store's.
        pipeline: the steps for the same request.
        observer: is told what happens.
    """

    execution: PipelineExecution
    records: Records
    pipeline: TrainingPipeline
    observer: Observer

    def run(self, descriptor: DeploymentDescriptor, uri: str) -> tuple[StepResult, ...]:
        """Fetch what lies at ``uri`` and bring the pipeline to its end.

        Raises:
            InputError: nothing has been left yet.
            IntegrityError: it is not what it says, or of another dataset, model or pipeline.
            GateFailedError: the model misses a rule.
        """
        with workspace(self.records.home, f"take-up-{self.execution.id}") as folder:
            left = fetch(Artifact("left", "", MediaType.FILES, uri, 0), folder, descriptor)
            self._check(left)
            pipeline = replace(self.pipeline, mirror_to=self.execution.target)
            steps = [self._with_parts(step, left) for step in pipeline.steps()]
            return Runner(self.records, self.observer, PIPELINE).run(steps)

    def _check(self, left: Path) -> None:
        account = read_registration(left)
        if account.name != self.execution.model or account.keys != dict(self.execution.keys):
            raise IntegrityError("What was left for the site is of another pipeline.")
        evaluation = EvaluationReport.model_validate_json(
            (left / "evaluation" / "evaluation.json").read_bytes()
        )
        if evaluation.bundle_digest != account.digests["model"]:
            raise IntegrityError("What was left for the site is the evaluation of another model.")
        if evaluation.dataset_digest != self.execution.dataset:
            raise IntegrityError("What was left for the site was made of another dataset.")

    def _with_parts(self, step: Step, left: Path) -> Step:
        publishes = _PUBLISHES.get(step.name)
        if publishes is None:
            return step
        make_job = {"train": self.pipeline.train_job, "evaluate": self.pipeline.evaluate_job}[step.name]
        store = ArtifactStore(self.records.home)

        def action(execution: Execution) -> Outputs:
            self._record(execution, make_job(execution.results))
            found = {
                output: store.publish(left / part, name=output, media_type=kind)
                for output, (part, kind) in publishes.items()
            }
            published = {output: {"digest": it.digest, "size": it.size} for output, it in found.items()}
            return {"run": execution.run, **published}

        def new_run(_: str, __: Results) -> RunId:
            return new_run_id()

        return replace(step, action=action, run=new_run)

    def _record(self, execution: Execution, job: TrainingJob) -> None:
        runs = self.records.runs
        runs.create(
            execution.run,
            job,
            self.execution.target,
            self.execution.digest,
            execution.key,
            backend=self.execution.format,
        )
        runs.set_status(execution.run, JobStatus(JobState.RUNNING))
