"""Statements that the platform can make itself, because they follow from what it did and how it works.

A person's own text always takes their place.
"""

from typing import Any

from isocenter.cards.facts import DatasetFacts, EvaluationFacts, Facts
from isocenter.cards.wording import METRIC_NAMES, attribute, estimate, listing, slice_line, stated

Statements = dict[str, Any]


def generated_statements(facts: Facts) -> Statements:
    """Nested statements by the names of the card's sections."""
    dataset, evaluation = facts.dataset, facts.evaluation
    if dataset is None or evaluation is None:
        return {"change_control": _change_control()}
    return {
        "source_attributes": _source_attributes(dataset, evaluation),
        "mi_claim": _mi_claim(facts, dataset),
        "change_control": _change_control(),
    }


def _source_attributes(dataset: DatasetFacts, evaluation: EvaluationFacts) -> Statements:
    return {
        "details": {"output": _output(dataset, evaluation)},
        "development": {
            "inclusion_exclusion": "Included: single-frame greyscale CR, DX and SC radiographs with a label. "
            "Set aside: files that can't be read or decoded, that contradict each other, or have no label.",
            "demographic_inputs": "None of them: the only input is the pixels of one radiograph.",
            "demographic_representativeness": _representativeness(dataset),
        },
        "measures": {
            "validity_same_source": _validity(evaluation),
            "fairness_same_source": _fairness(evaluation),
        },
    }


def _output(dataset: DatasetFacts, evaluation: EvaluationFacts) -> str:
    negative, positive = dataset.classes[0], dataset.classes[-1]
    return (
        f"A score from 0 to 1, calibrated on validation images (temperature {evaluation.temperature:.3g}), "
        f"that the radiograph belongs to the class '{positive}'; and a decision: '{positive}' at a score of "
        f"{evaluation.threshold:.3f} or more, else '{negative}'. The threshold was chosen on validation "
        f"images by the rule {evaluation.threshold_rule}."
    )


def _representativeness(dataset: DatasetFacts) -> str:
    parts = [
        f"{attribute(name)}: "
        + listing(f"{stated(value)} {count}" for value, count in dataset.attributes[name].items())
        for name in ("sex", "age_band")
        if name in dataset.attributes
    ]
    return (
        f"Images of the whole dataset by {'; by '.join(parts)}. Race, ethnicity, language, sexual "
        "orientation, gender identity, social determinants and health status are not in the image headers "
        "and were not assessed."
        if parts
        else ""
    )


def _validity(evaluation: EvaluationFacts) -> str:
    values = listing(
        f"{METRIC_NAMES.get(name, name)} {estimate(value)}" for name, value in evaluation.metrics.items()
    )
    return (
        f"On {evaluation.images} test images of {evaluation.patients} patients ({evaluation.positives} "
        f"images positive), with 95 % bootstrap intervals over patients: {values}."
    )


def _fairness(evaluation: EvaluationFacts) -> str:
    chosen = [item for item in evaluation.slices if item.attribute in ("sex", "age_band")]
    return f"By subgroup of the test images: {'; '.join(map(slice_line, chosen))}." if chosen else ""


def _mi_claim(facts: Facts, dataset: DatasetFacts) -> Statements:
    splits = listing(f"{s.name} {s.images} images of {s.patients} patients" for s in dataset.splits)
    return {
        "study_design": {"cohorts": f"{splits}. Subgroups are listed under Facts."},
        "data_and_optimisation": {
            "transformations": _transformations(facts),
            "independence": "Images are split by patient: a hash of the patient decides, so no patient is in "
            "two splits. Exact duplicates are kept once.",
            "model_selection": f"One network ({_network(facts)}) was trained by the plan under Facts; the "
            "weights of the epoch that did best on validation images were kept. Test images were used once, "
            "for the numbers in this card.",
        },
        "performance": {"primary_metric": "AUROC: it needs no threshold and does not depend on prevalence."},
        "examination": {
            "techniques": "Grad-CAM on the best, worst and borderline test images, reliability diagram, "
            "metrics by slice (report.html in the bundle).",
            "case_level": "Grad-CAM shows which regions raised the score; it does not explain a finding.",
        },
        "reproducibility": {
            "how": "Plan, seeds, dataset digest, code and environment are in lineage.json; the same inputs "
            "on the same platform give the same weights."
        },
    }


def _transformations(facts: Facts) -> str:
    size = facts.plan.get("image_size", "?")
    augmentation = listing(str(item.get("name")) for item in facts.plan.get("augmentation", ()))
    return (
        "Modality and VOI transformations and polarity by the DICOM standard to values from 0 to 1, then "
        f"letterboxed to {size} x {size} pixels. In the network: {facts.plan.get('normalisation', 'none')}. "
        f"Augmentation in training: {augmentation}."
    )


def _network(facts: Facts) -> str:
    network = facts.plan.get("network", {})
    return str(network.get("name", "not stated"))


def _change_control() -> Statements:
    return {
        "description_of_modifications": "None is planned. Any change of data, plan or code makes a new "
        "version, which is evaluated, registered and approved by itself.",
        "modification_protocol": {
            "data_management": "Data are kept as immutable, content-addressed DatasetVersions; patients "
            "never move between splits when others are added.",
            "retraining": "By the training plan stored beside the weights; a new run for each new version.",
            "performance_evaluation": "On test patients of the DatasetVersion, against the acceptance "
            "thresholds of the pipeline; a model that fails them is not registered.",
            "update_procedures": "The alias champion moves only with an Approval that gives a reason, and "
            "moves back in the same way; both are in the audit trail.",
        },
        "impact_assessment": "As no modification is planned, none was assessed.",
    }
