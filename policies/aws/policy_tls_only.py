"""A resource policy denies plain HTTP."""

from collections.abc import Iterable

from isocenter_policies.iam import statements
from isocenter_policies.rule import Body, Rule


def _whole_service(actions: Iterable[str]) -> bool:
    return any(action in ("*", "s3:*", "sqs:*", "sns:*", "sns:publish") for action in actions)


class PolicyTlsOnly(Rule):
    id = "ISO_AWS_012"
    severity = "high"
    title = "A resource policy denies plain HTTP"
    why = "A client that talks HTTP sends patient data, or its credentials, in the clear."
    fix = (
        "Add a statement that denies every action of the service to everybody where "
        "aws:SecureTransport is false."
    )
    control = 6
    kinds = (
        "aws_s3_bucket_policy",
        "aws_sns_topic_policy",
        "aws_sqs_queue_policy",
    )

    def holds(self, body: Body) -> bool | None:
        return any(
            not found.allows
            and found.anyone
            and _whole_service(found.actions)
            and ("bool", "aws:securetransport", ("false",)) in found.conditions
            and len(found.conditions) == 1
            for found in statements(body, "policy")
        )


CHECK = PolicyTlsOnly()
