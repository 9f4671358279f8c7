"""The parts of MI-CLAIM: minimum information about clinical artificial intelligence modelling.

Norgeot B, Quer G, Beaulieu-Jones BK, et al. Nature Medicine 26, 1320-1324 (2020).
"""

from typing import Literal

from pydantic import Field

from isocenter.cards.statement import Need, Section, statement

_OR_NOT = Need.OR_NOT_AVAILABLE
_OPTIONAL = Need.OPTIONAL


class StudyDesign(Section):
    """Part 1."""

    clinical_problem: str = statement("Clinical problem", "The problem that the model is to help with.")
    research_question: str = statement("Research question", "What the study asks, in one or two sentences.")
    cohorts: str = statement("Cohorts", "Characteristics of training and test sets.")
    representativeness: str = statement(
        "Representativeness", "Whether the cohorts look like the patients of real care.", _OPTIONAL
    )
    baseline: str = statement(
        "Baseline", "The state-of-the-art solution that the model is compared with.", _OR_NOT
    )


class DataAndOptimisation(Section):
    """Parts 2 and 3."""

    origin: str = statement("Origin of the data", "Where the images come from and in which format.")
    transformations: str = statement("Transformations", "What is done to the data before the model.")
    independence: str = statement("Independence", "Why training and test sets are independent.")
    model_selection: str = statement(
        "Models and selection", "Which models were evaluated and how the best was chosen."
    )
    input_type: Literal["structured", "unstructured"] = Field(
        default="unstructured", title="Type of input", description="Images are unstructured data."
    )


class Performance(Section):
    """Part 4."""

    primary_metric: str = statement("Primary metric", "The main metric of performance, and why this one.")
    clinical_utility_metric: str = statement(
        "Metric of clinical utility", "The main metric of clinical use (e.g. PPV, NNT), and why this one."
    )
    comparison: str = statement(
        "Comparison with the baseline", "Performance beside the baseline, with its significance.", _OR_NOT
    )


class Examination(Section):
    """Part 5."""

    techniques: str = statement("Techniques", "How the model's behaviour was examined.")
    relevance: str = statement("Relevance", "What the examination says about its performance.", _OPTIONAL)
    case_level: str = statement(
        "Interpretability of a case", "Whether and how one output can be explained.", _OPTIONAL
    )
    distribution_shift: str = statement(
        "Shift of the data", "How reliable the model is when the data change.", _OPTIONAL
    )


class Reproducibility(Section):
    """Part 6."""

    tier: Literal[1, 2, 3, 4] | None = Field(
        default=None,
        title="Tier",
        description="1 code is shared, 2 a third party may evaluate it, 3 a binary is shared, 4 none.",
        json_schema_extra={"need": Need.REQUIRED.value},
    )
    how: str = statement("How to reproduce", "What is needed to make this model again.")


class MiClaim(Section):
    """All six parts."""

    study_design: StudyDesign = Field(default=StudyDesign(), title="Study design")
    data_and_optimisation: DataAndOptimisation = Field(
        default=DataAndOptimisation(), title="Data and optimisation"
    )
    performance: Performance = Field(default=Performance(), title="Model performance")
    examination: Examination = Field(default=Examination(), title="Model examination")
    reproducibility: Reproducibility = Field(default=Reproducibility(), title="Reproducibility")
