"""The six steps from DICOM to a registered model: ingest, validate, train, evaluate, gate, register."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from isocenter.domain.artifact import MediaType
from isocenter.domain.evaluation import EvaluationReport
from isocenter.domain.training_job import Compute, TrainingJob
from isocenter.errors import GateFailedError, IsocenterError, NotFoundError
from isocenter.lineage import LineageDataset
from isocenter.pipelines.job import JobLauncher
from isocenter.pipelines.job_identity import what_runs
from isocenter.pipelines.job_step import is_intact, job_step
from isocenter.pipelines.observer import Observer
from isocenter.pipelines.records import Records
from isocenter.pipelines.registration import Registration
from isocenter.pipelines.source_identity import code_commit, package_versions, training_identity
from isocenter.pipelines.step import Execution, Outputs, Results, Step, Subject
from isocenter.pipelines.training_request import TrainingRequest, source_identity
from isocenter.pipelines.workspace import workspace
from isocenter.storage.artifacts import ArtifactStore

PIPELINE = "training"
_VALIDATE_VERSION = 1
_GATE_VERSION = 1


@dataclass(frozen=True)
class TrainingPipeline:
    """Builds the steps for one request.

    Args:
        request: what the user asks.
        records: the store's records.
        launcher: runs the two jobs.
        observer: is told how far the ingest is.
        mirror_to: target whose own registry is to hold the model; None: the one that the jobs run on.
    """

    request: TrainingRequest
    records: Records
    launcher: JobLauncher
    observer: Observer
    mirror_to: str | None = None

    def steps(self) -> tuple[Step, ...]:
        """The six steps, in order."""
        return (
            self.ingest_step(),
            self.validate_step(),
            self.train_step(),
            self.evaluate_step(),
            self.gate_step(),
            Registration(self.request, self.records, self._mirror_to).step(),
        )

    @cached_property
    def fingerprint(self) -> str:
        """Of the request's source and labels, looked at once: what is recorded is what is ingested.

        Raises:
            InputError: there is nothing at the source, or the labels can't be read.
        """
        return source_identity(self.request, self.records.home)

    @property
    def _mirror_to(self) -> str | None:
        """A deployed target has a registry of its own; this machine has not."""
        if self.mirror_to is not None:
            return self.mirror_to
        return self.launcher.target if self.launcher.descriptor is not None else None

    @property
    def machines(self) -> dict[str, Compute]:
        """What each of the jobs runs on, by step."""
        return {"train": self.request.compute, "evaluate": self._one_machine}

    @property
    def _one_machine(self) -> Compute:
        return replace(self.request.compute, nodes=1)

    @property
    def _labels(self) -> dict[str, str]:
        return {"model": self.request.name}

    @property
    def _store(self) -> ArtifactStore:
        return ArtifactStore(self.records.home)

    def ingest_step(self) -> Step:
        """Files and labels become a DatasetVersion. The key takes names, sizes and times: no decoding."""
        return Step(
            "ingest",
            self._ingest_inputs,
            self._ingest,
            still_there=self._dataset_is_there,
            subject=_ingest_subject,
        )

    def _ingest_inputs(self, _: Results) -> dict[str, Any]:
        return {"fingerprint": self.fingerprint}

    def _ingest(self, _: Execution) -> Outputs:
        from isocenter.datasets import Progress, ingest

        def tell(progress: Progress) -> None:
            if progress.stage == "waiting":
                self.observer.step_waiting("ingest")
            event = {"event": "progress", "done": progress.done, "total": progress.total, "unit": "file"}
            self.observer.progress("ingest", event | {"stage": progress.stage})

        request = self.request
        if request.fingerprint is not None:
            raise NotFoundError(
                "The dataset of this pipeline is not in the store any more.",
                hint="isocenter pipeline run --data ... makes it again.",
            )
        result = ingest(
            self.records.home,
            request.source,
            labels=request.labels,
            classes=request.classes,
            image_size=request.plan.image_size,
            processes=request.processes,
            progress=tell,
        )
        return {
            "dataset": result.dataset.digest,
            "images": result.dataset.images,
            "patients": result.dataset.patients,
            "duplicates": result.duplicates,
            "quarantined": dict(result.quarantined),
            "labels_without_file": result.labels_without_file,
        }

    def _dataset_is_there(self, outputs: Outputs) -> bool:
        from isocenter.datasets import open_dataset

        try:
            return self.request.plan.image_size in open_dataset(self.dataset_path(outputs)).sizes
        except IsocenterError:
            return False

    def dataset_path(self, ingested: Outputs) -> Path:
        """The directory of the DatasetVersion that ingest made."""
        from isocenter.datasets.reader import dataset_path

        return dataset_path(self.records.home, ingested["dataset"])

    def validate_step(self) -> Step:
        """Can this dataset be trained and judged on?"""

        def inputs(results: Results) -> dict[str, Any]:
            size = self.request.plan.image_size
            return {"dataset": results["ingest"]["dataset"], "image_size": size, "checks": _VALIDATE_VERSION}

        def subject(results: Results, outputs: Outputs) -> Subject:
            details = {"warnings": len(outputs["warnings"]), "report": outputs["report"]["digest"]}
            return Subject(
                f"dataset:{results['ingest']['dataset']}",
                details,
                reads=(LineageDataset("dataset", results["ingest"]["dataset"]),),
                writes=(LineageDataset("validation", outputs["report"]["digest"]),),
            )

        def there(outputs: Outputs) -> bool:
            return is_intact(self._store, outputs["report"]["digest"])

        return Step("validate", inputs, self._validate, there, subject=subject)

    def _validate(self, execution: Execution) -> Outputs:
        from isocenter.datasets import open_dataset
        from isocenter.pipelines.validate import validate
        from isocenter.pipelines.validation import refuse_unless_valid

        dataset = open_dataset(self.dataset_path(execution.results["ingest"]))
        dataset.verify()
        report = validate(dataset, self.request.plan.image_size)
        refuse_unless_valid(report)
        with workspace(self.records.home, execution.key) as folder:
            (folder / "validation.json").write_text(report.model_dump_json(indent=2) + "\n")
            published = self._store.publish(folder, name="validation", media_type=MediaType.VALIDATION)
        return {
            "report": {"digest": published.digest, "size": published.size},
            "warnings": list(report.warnings),
        }

    def _check_dataset(self, results: Results) -> None:
        """The pixels that a job will read are those of the digest that its result will carry.

        What a target has got was checked before it was copied.
        """
        from isocenter.datasets import open_dataset

        open_dataset(self.dataset_path(results["ingest"])).verify(self.request.plan.image_size)

    def train_step(self) -> Step:
        """One plan on one dataset, as a job."""

        def inputs(results: Results) -> dict[str, Any]:
            return {
                "dataset": results["ingest"]["dataset"],
                "plan": self.request.plan_json,
                "threads": self.request.threads,
                "code": training_identity(),
                **what_runs(self.request.image, self.request.compute),
            }

        def subject(results: Results, outputs: Outputs) -> Subject:
            return Subject(
                f"run:{outputs['run']}",
                {"model": outputs["model"]["digest"]},
                reads=(LineageDataset("dataset", results["ingest"]["dataset"]),),
                writes=(LineageDataset("bundle", outputs["model"]["digest"]),),
                facets=self._facets(),
            )

        return job_step(
            "train",
            self.launcher,
            self.train_job,
            inputs=inputs,
            publishes={"model": MediaType.BUNDLE, "output": MediaType.FILES},
            subject=subject,
            check=self._check_dataset,
        )

    def train_job(self, results: Results) -> TrainingJob:
        """The train job; the same on every backend."""
        return TrainingJob(
            name="train",
            command=("train",),
            inputs={"dataset": str(self.dataset_path(results["ingest"]))},
            parameters={"plan": self.request.plan_json, "threads": self.request.threads},
            image=self.request.image,
            compute=self.request.compute,
            labels=self._labels,
            residency=self.records.home.residency,
        )

    def evaluate_step(self) -> Step:
        """The trained bundle on the test patients, as a job."""

        def inputs(results: Results) -> dict[str, Any]:
            return {
                "dataset": results["ingest"]["dataset"],
                "model": results["train"]["model"]["digest"],
                "parameters": self.request.evaluation_parameters,
                "code": training_identity(),
                **what_runs(self.request.image, self._one_machine),
            }

        def subject(results: Results, outputs: Outputs) -> Subject:
            return Subject(
                f"run:{outputs['run']}",
                {"evaluation": outputs["output"]["digest"], "model": results["train"]["model"]["digest"]},
                reads=(
                    LineageDataset("dataset", results["ingest"]["dataset"]),
                    LineageDataset("bundle", results["train"]["model"]["digest"]),
                ),
                writes=(LineageDataset("evaluation", outputs["output"]["digest"]),),
                facets=self._facets(),
            )

        return job_step(
            "evaluate",
            self.launcher,
            self.evaluate_job,
            inputs=inputs,
            publishes={"output": MediaType.EVALUATION},
            subject=subject,
            check=self._check_dataset,
        )

    def evaluate_job(self, results: Results) -> TrainingJob:
        """The evaluate job."""
        return TrainingJob(
            name="evaluate",
            command=("evaluate",),
            inputs={
                "dataset": str(self.dataset_path(results["ingest"])),
                "model": str(self._store.path(results["train"]["model"]["digest"])),
            },
            parameters=self.request.evaluation_parameters,
            image=self.request.image,
            compute=self._one_machine,
            labels=self._labels,
            residency=self.records.home.residency,
        )

    def gate_step(self) -> Step:
        """The evaluation against the acceptance rules; a miss ends the pipeline."""

        def inputs(results: Results) -> dict[str, Any]:
            acceptance = self.request.acceptance.model_dump(mode="json")
            evaluation = results["evaluate"]["output"]["digest"]
            return {"evaluation": evaluation, "acceptance": acceptance, "gate": _GATE_VERSION}

        def subject(results: Results, outputs: Outputs) -> Subject:
            verdicts = [check["verdict"] for check in outputs["checks"]]
            return Subject(
                f"evaluation:{results['evaluate']['output']['digest']}",
                {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))},
                reads=(LineageDataset("evaluation", results["evaluate"]["output"]["digest"]),),
            )

        return Step("gate", inputs, self._gate, subject=subject, failure_details=_missed)

    def _gate(self, execution: Execution) -> Outputs:
        from isocenter.pipelines.gate import apply_gate, refuse_unless_passed

        folder = self._store.path(execution.results["evaluate"]["output"]["digest"])
        evaluation = EvaluationReport.model_validate_json((folder / "evaluation.json").read_bytes())
        result = apply_gate(evaluation, self.request.acceptance)
        refuse_unless_passed(result, report=folder / "report.html")
        return result.as_json()

    def _facets(self) -> dict[str, Any]:
        return {
            "parameters": {
                "plan": self.request.plan.name,
                "threads": self.request.threads,
                **what_runs(self.request.image, self.request.compute),
            },
            "seeds": {"training": self.request.plan.seed},
            "code": {"commit": code_commit(), "digest": training_identity()},
            "environment": dict(package_versions()),
        }


def _ingest_subject(_: Results, outputs: Outputs) -> Subject:
    details = {name: outputs[name] for name in ("images", "patients", "duplicates", "quarantined")}
    written = (LineageDataset("dataset", outputs["dataset"]),)
    return Subject(f"dataset:{outputs['dataset']}", details, writes=written)


def _missed(error: IsocenterError) -> dict[str, Any]:
    """The gate's own words hold metrics and bounds only."""
    return {"missed": error.message[:2000]} if isinstance(error, GateFailedError) else {}
