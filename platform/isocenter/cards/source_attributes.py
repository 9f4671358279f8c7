"""The source attributes that HTI-1 wants a predictive decision support intervention to show.

45 CFR 170.315(b)(11)(iv)(B)(1) to (9), as amended by 89 FR 1192 (January 9, 2024).
"""

from typing import Literal

from pydantic import Field

from isocenter.cards.statement import Need, Section, statement

OutputType = Literal["prediction", "classification", "recommendation", "evaluation", "analysis", "other"]
_OR_NOT = Need.OR_NOT_AVAILABLE


class Details(Section):
    """Details and output, (B)(1)."""

    developer: str = statement("Developer", "Name and contact of who developed the model.")
    funding: str = statement("Funding", "Who paid for its technical development.")
    output: str = statement("Output", "The value that the model gives and how to read it.")
    output_type: OutputType = Field(
        default="classification", title="Kind of output", description="What kind of output that is."
    )


class Purpose(Section):
    """Purpose, (B)(2)."""

    intended_use: str = statement("Intended use", "What the model is for.")
    intended_population: str = statement(
        "Intended patients", "For which patients: ages, care settings, indications, views."
    )
    intended_users: str = statement("Intended users", "Who reads the output, with which training.")
    decision_role: str = statement(
        "Role in the decision", "Whether it informs, augments or replaces clinical management, and how."
    )


class OutOfScope(Section):
    """Cautioned out-of-scope use, (B)(3)."""

    cautioned_uses: str = statement(
        "Cautioned uses", "Tasks, situations or populations in which the model should not be used."
    )
    known_risks: str = statement(
        "Known risks and limitations", "Known risks, inappropriate settings and uses, limitations."
    )


class Development(Section):
    """Development details and input features, (B)(4)."""

    inclusion_exclusion: str = statement(
        "Inclusion and exclusion criteria", "What put images into the training data or kept them out."
    )
    demographic_inputs: str = statement(
        "Demographic input features",
        "Which of race, ethnicity, language, sexual orientation, gender identity, sex, date of birth, social "
        "determinants and health status assessments the model takes as input.",
    )
    demographic_representativeness: str = statement(
        "Demographic representativeness", "How the training data compare with the intended patients."
    )
    relevance_to_setting: str = statement(
        "Relevance to the setting", "Why data of this origin suit the place where the model will be used."
    )


class Fairness(Section):
    """Process used to ensure fairness, (B)(5)."""

    approach: str = statement("Approach", "What was done so that the output is fair.")
    bias_management: str = statement(
        "Management of bias", "How bias was looked for, and managed, reduced or eliminated."
    )


class ExternalValidation(Section):
    """External validation process, (B)(6). Each may say "not available"."""

    data_source: str = statement(
        "Data source",
        "Source or clinical setting, other than that of training and test data.",
        _OR_NOT,
    )
    tested_by: str = statement("Tested by", "Party that did the external testing.", _OR_NOT)
    representativeness: str = statement(
        "Demographic representativeness", "How the external data compare with the intended patients.", _OR_NOT
    )
    process: str = statement("Process", "How the external validation was done.", _OR_NOT)


class Measures(Section):
    """Quantitative measures of performance, (B)(7)."""

    validity_same_source: str = statement(
        "Validity, same source", "Validity on test data from the same source as the training data."
    )
    fairness_same_source: str = statement(
        "Fairness, same source", "Fairness on test data from the same source as the training data."
    )
    validity_external: str = statement("Validity, external", "Validity on data from another source.", _OR_NOT)
    fairness_external: str = statement("Fairness, external", "Fairness on data from another source.", _OR_NOT)
    outcome_evaluations: str = statement(
        "Evaluations of outcomes",
        "Citations of evaluations of how its use changed morbidity, mortality, length of stay or others.",
        _OR_NOT,
    )


class Maintenance(Section):
    """Ongoing maintenance of implementation and use, (B)(8)."""

    validity_monitoring: str = statement(
        "Monitoring of validity", "How and how often validity is monitored over time."
    )
    validity_local: str = statement("Validity, local", "Validity on data of the deploying site.", _OR_NOT)
    fairness_monitoring: str = statement(
        "Monitoring of fairness", "How and how often fairness is monitored over time."
    )
    fairness_local: str = statement("Fairness, local", "Fairness on data of the deploying site.", _OR_NOT)


class Updates(Section):
    """Update and continued validation or fairness assessment schedule, (B)(9)."""

    update_process: str = statement("Updates", "How and how often the model is updated.")
    correction_process: str = statement(
        "Corrections", "How often performance is corrected when risks to validity or fairness are found."
    )


class SourceAttributes(Section):
    """All nine categories."""

    details: Details = Field(default=Details(), title="Details and output")
    purpose: Purpose = Field(default=Purpose(), title="Purpose")
    out_of_scope: OutOfScope = Field(default=OutOfScope(), title="Cautioned out-of-scope use")
    development: Development = Field(default=Development(), title="Development details and input features")
    fairness: Fairness = Field(default=Fairness(), title="Process used to ensure fairness")
    external_validation: ExternalValidation = Field(
        default=ExternalValidation(), title="External validation process"
    )
    measures: Measures = Field(default=Measures(), title="Quantitative measures of performance")
    maintenance: Maintenance = Field(default=Maintenance(), title="Ongoing maintenance")
    updates: Updates = Field(default=Updates(), title="Update and continued validation schedule")
