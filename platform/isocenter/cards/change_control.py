"""The predetermined change control plan (PCCP).

FDA, Marketing Submission Recommendations for a Predetermined Change Control Plan for Artificial
Intelligence-Enabled Device Software Functions, final guidance, December 2024, sections VI to VIII.
"""

from pydantic import Field

from isocenter.cards.statement import Section, statement


class ModificationProtocol(Section):
    """How planned modifications are made and checked."""

    data_management: str = statement("Data management", "How data for modifications are gathered and kept.")
    retraining: str = statement("Re-training", "What is trained again, when, and what stays as it is.")
    performance_evaluation: str = statement(
        "Performance evaluation", "Which tests and acceptance thresholds a modification must pass."
    )
    update_procedures: str = statement(
        "Update procedures", "How a modification is released, told to users, monitored and taken back."
    )


class ChangeControl(Section):
    """Planned modifications, how they are made, and what they may do."""

    description_of_modifications: str = statement(
        "Description of modifications", "Each modification that is planned, and its limits."
    )
    modification_protocol: ModificationProtocol = Field(
        default=ModificationProtocol(), title="Modification protocol"
    )
    impact_assessment: str = statement(
        "Impact assessment", "Benefits and risks of the modifications, and how risks are held down."
    )
