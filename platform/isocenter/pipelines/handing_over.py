"""Handing the pipeline to a target's own service: what the site does first, then one request."""

from dataclasses import dataclass
from datetime import UTC, datetime

from isocenter.audit import current_actor
from isocenter.backends.patient import patiently
from isocenter.compilers.spec import DATASET, EXECUTION, Place
from isocenter.domain.audit_event import AuditEvent, Outcome
from isocenter.domain.run import new_run_id
from isocenter.errors import InputError, IsocenterError
from isocenter.orchestrators.base import load_orchestrator
from isocenter.pipelines.compilation import compile_pipeline
from isocenter.pipelines.executions import ExecutionRecords, PipelineExecution, new_execution_id
from isocenter.pipelines.one_step import results_so_far
from isocenter.pipelines.request_document import as_record
from isocenter.pipelines.runner import Runner
from isocenter.pipelines.source_identity import training_identity
from isocenter.pipelines.staging import missing, stage, upload
from isocenter.pipelines.training import TrainingPipeline
from isocenter.policy import refuse_unless_kept
from isocenter.targets import Target


@dataclass(frozen=True)
class HandingOver:
    """One request for one target's service.

    Args:
        pipeline: the steps for the request.
        runner: of the store; does what stays at the site.
        place: the target.
    """

    pipeline: TrainingPipeline
    runner: Runner
    place: Target

    def submit(self) -> PipelineExecution | None:
        """Ingest, validate, upload the dataset, and start the service's pipeline, or find it again.

        Safe to repeat: until its model is taken up, the same request finds the same execution.

        Returns:
            the execution; None where every step has been done in this store.

        Raises:
            InputError: the target has no service for pipelines, or can't run this one.
            PolicyError: the data may not leave their residency zone, or the train job breaks a rule.
            IsocenterError: ingest or validation failed, or the service can't be reached.
        """
        descriptor = self.place.descriptor
        if descriptor is None:
            raise InputError(
                "The target local has no service that runs pipelines.",
                hint="Leave out --submit: it runs here.",
            )
        steps = self.pipeline.steps()
        compile_pipeline(self.pipeline.request, self.place, None)  # what can't be asked for is told first
        at_site = [step for step in steps if step.name in ("ingest", "validate")]
        results = {result.name: result.outputs for result in self.runner.run(at_site)}
        if len(results_so_far(self.pipeline.records, steps)) == len(steps):
            return None
        dataset = str(results["ingest"]["dataset"])
        job = self.pipeline.train_job(results)
        refuse_unless_kept(self.pipeline.launcher.plan(job, new_run_id()), descriptor)
        spec, compiled = compile_pipeline(self.pipeline.request, self.place, dataset)
        records = ExecutionRecords(self.pipeline.records.home)
        execution = records.open(
            PipelineExecution(
                id=new_execution_id(),
                model=self.pipeline.request.name,
                pipeline=spec.name,
                target=self.place.name,
                format=compiled.format,
                request=as_record(self.pipeline.request, self.pipeline.fingerprint),
                dataset=dataset,
                code=training_identity(),
                keys={step.name: step.cache_key for step in spec.steps if step.place is not Place.SITE},
                digest=compiled.digest,
                created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
        )
        staged = stage(job, self.pipeline.records.home, descriptor)
        upload(missing(staged, descriptor), descriptor, self.pipeline.records.trail)
        orchestrator = load_orchestrator(compiled.format, descriptor)
        parameters = {DATASET: dataset.removeprefix("sha256:"), EXECUTION: execution.id}
        self.pipeline.records.trail.check()
        try:
            found = patiently(
                lambda: orchestrator.submit(compiled, parameters, execution.id),
                say=self.pipeline.launcher.observer.outage,
            )
        except IsocenterError as error:
            self._audit(execution, Outcome.FAILURE, error=error.code)
            raise
        if found != execution.external_id:  # else it was started by an earlier call
            self._audit(execution, Outcome.SUCCESS, job=found)
        return records.submitted(execution, found)

    def _audit(self, execution: PipelineExecution, outcome: Outcome, **more: str) -> None:
        details = {
            "target": execution.target,
            "backend": execution.format,
            "dataset": execution.dataset,
            "request": execution.digest,
            **more,
        }
        event = AuditEvent(current_actor(), "pipeline.submit", f"pipeline:{execution.id}", outcome, details)
        self.pipeline.records.trail.append(event)
