"""The register step: a model that passed the gate becomes a version, with its papers and alias challenger."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isocenter.domain.artifact import Artifact, MediaType
from isocenter.domain.evaluation import EvaluationReport
from isocenter.domain.model import Alias
from isocenter.errors import IsocenterError
from isocenter.lineage import LineageDataset
from isocenter.pipelines.bundle import compose_bundle
from isocenter.pipelines.job_step import is_intact
from isocenter.pipelines.records import Records
from isocenter.pipelines.source_identity import code_commit, package_versions, training_identity
from isocenter.pipelines.step import Execution, Outputs, Results, Step, Subject
from isocenter.pipelines.training_request import TrainingRequest
from isocenter.pipelines.workspace import workspace
from isocenter.storage.artifacts import ArtifactStore

if TYPE_CHECKING:
    from isocenter.cards import ModelCard
    from isocenter.registry.models import ModelRegistry

_REGISTER_VERSION = 1


@dataclass(frozen=True)
class Registration:
    """Builds the step for one request.

    Args:
        request: what the user asks.
        records: the store's records.
        mirror_to: target whose own registry is to hold the version too; None for none.
    """

    request: TrainingRequest
    records: Records
    mirror_to: str | None = None

    def step(self) -> Step:
        """The register step."""
        return Step("register", self._inputs, self._register, self._is_there, subject=_subject)

    def _inputs(self, results: Results) -> dict[str, Any]:
        return {
            "name": self.request.name,
            "model": results["train"]["model"]["digest"],
            "evaluation": results["evaluate"]["output"]["digest"],
            "card": dict(self.request.card),
            "register": _REGISTER_VERSION,
        }

    def _register(self, execution: Execution) -> Outputs:
        from isocenter.audit import current_actor
        from isocenter.cards import missing_fields

        results = execution.results
        evaluation = self._evaluation(results)
        card = self._card(results, evaluation)
        bundle = self._publish(execution.key, results, card)
        registry = self._registry()
        version = registry.register(
            self.request.name,
            bundle,
            dataset_digest=results["ingest"]["dataset"],
            run=results["train"]["run"],
            metrics={name: estimate.model_dump() for name, estimate in evaluation.metrics.items()},
            card=card,
            mirror_to=self.mirror_to,
        )
        registry.set_alias(version, Alias.CHALLENGER, current_actor(), "registered by the training pipeline")
        return {
            "number": version.number,
            "reference": version.reference,
            "bundle": {"digest": bundle.digest, "size": bundle.size},
            "card_missing": missing_fields(card),
        }

    def _evaluation(self, results: Results) -> EvaluationReport:
        folder = self._store.path(results["evaluate"]["output"]["digest"])
        return EvaluationReport.model_validate_json((folder / "evaluation.json").read_bytes())

    def _card(self, results: Results, evaluation: EvaluationReport) -> "ModelCard":
        from isocenter.cards import build_card
        from isocenter.datasets import open_dataset, summarise
        from isocenter.datasets.reader import dataset_path

        dataset = open_dataset(dataset_path(self.records.home, results["ingest"]["dataset"]))
        request = self.request
        lineage = self._lineage(results)
        return build_card(
            request.card, evaluation, summarise(dataset), request.plan, lineage, name=request.name
        )

    def _lineage(self, results: Results) -> dict[str, Any]:
        """What the model was made of. No run ids and no moments: the registry keeps those."""
        from isocenter.domain.digest import digest_json

        return {
            "schema_version": 1,
            "dataset": results["ingest"]["dataset"],
            "validation": results["validate"]["report"]["digest"],
            "training": results["train"]["model"]["digest"],
            "evaluation": results["evaluate"]["output"]["digest"],
            "plan": digest_json(self.request.plan_json),
            "seeds": {"training": self.request.plan.seed, "evaluation": self.request.plan.seed},
            "threads": self.request.threads,
            "threshold_rule": self.request.threshold_rule,
            "acceptance": digest_json(self.request.acceptance.model_dump(mode="json")),
            "code": {"commit": code_commit(), "digest": training_identity()},
            "environment": dict(package_versions()),
        }

    def _publish(self, key: str, results: Results, card: "ModelCard") -> Artifact:
        from isocenter.cards import to_markdown

        papers = {
            "model_card.json": card.model_dump_json(indent=2) + "\n",
            "model_card.md": to_markdown(card),
        }
        with workspace(self.records.home, key) as folder:
            compose_bundle(
                folder,
                model=self._store.path(results["train"]["model"]["digest"]),
                evaluation=self._store.path(results["evaluate"]["output"]["digest"]),
                lineage=self._lineage(results),
                card=papers,
            )
            return self._store.publish(folder, name="model", media_type=MediaType.BUNDLE)

    def _is_there(self, outputs: Outputs) -> bool:
        try:
            self._registry().get(outputs["reference"])
        except IsocenterError:
            return False
        return is_intact(self._store, outputs["bundle"]["digest"])

    @property
    def _store(self) -> ArtifactStore:
        return ArtifactStore(self.records.home)

    def _registry(self) -> "ModelRegistry":
        from isocenter.registry.models import ModelRegistry

        return ModelRegistry(self.records.home, self.records.database, self.records.trail)


def _subject(results: Results, outputs: Outputs) -> Subject:
    return Subject(
        f"model:{outputs['reference']}",
        {"bundle": outputs["bundle"]["digest"]},
        reads=(
            LineageDataset("bundle", results["train"]["model"]["digest"]),
            LineageDataset("evaluation", results["evaluate"]["output"]["digest"]),
        ),
        writes=(LineageDataset("model", outputs["reference"], outputs["bundle"]["digest"]),),
    )
