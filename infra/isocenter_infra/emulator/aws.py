"""AWS, emulated by moto: the stack reduced to what it can hold, and pointed at it."""

import json
from collections.abc import Mapping
from typing import Any

from isocenter_infra.emulator.aws_limits import ARGUMENTS, PROVIDERS, RESOURCES
from isocenter_infra.emulator.reduction import reduce_document, without_dependencies

# The services that the stack's resources call, in the provider's words.
_SERVICES = (
    *("accessanalyzer", "backup", "budgets", "cloudtrail", "cloudwatch", "cloudwatchlogs"),
    *("configservice", "ec2", "ecr", "eks", "guardduty", "iam", "kms", "s3", "s3control", "sagemaker"),
    *("secretsmanager", "servicequotas", "signer", "sns", "ssm", "sts"),
)
_POLICY = "aws_s3_bucket_policy"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "emulated", "AWS_SECRET_ACCESS_KEY": "emulated"}


def _without_denials(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Bucket policies without their Deny statements, and without a policy that is left with none.

    moto looks at no condition: it would deny every request, where AWS denies those without TLS.
    """
    policies = document.get("resource", {}).get(_POLICY, {})
    kept: dict[str, Any] = {}
    for name, body in policies.items():
        policy = json.loads(body["policy"])
        policy["Statement"] = [each for each in policy["Statement"] if each["Effect"] != "Deny"]
        if policy["Statement"]:
            kept[name] = body | {"policy": json.dumps(policy, sort_keys=True)}
    resources = {kind: named for kind, named in document["resource"].items() if kind != _POLICY}
    resources |= {_POLICY: kept} if kept else {}
    gone = {f"{_POLICY}.{name}" for name in policies if name not in kept}
    answerable = without_dependencies({**document, "resource": resources}, gone)
    return answerable, {f"{_POLICY}: statements that deny": "moto looks at no condition"} if policies else {}


def emulated_document(
    document: Mapping[str, Any], endpoint: str, provider_version: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """``document`` as moto at ``endpoint`` can hold it, and what was left out, with reasons.

    Args:
        document: Terraform's JSON of an AWS stack.
        endpoint: e.g. ``http://127.0.0.1:5000``.
        provider_version: of the AWS provider that will be used.
    """
    answerable, denials = _without_denials(document)
    reduced, left_out = reduce_document(answerable, RESOURCES, ARGUMENTS, PROVIDERS)
    left_out |= denials
    local = {
        "endpoints": [dict.fromkeys(_SERVICES, endpoint)],
        "s3_use_path_style": True,
        "skip_credentials_validation": True,
        "skip_metadata_api_check": True,
        "skip_region_validation": True,
        # A server that was killed is noticed in seconds and not in minutes.
        "max_retries": 2,
    }
    reduced["provider"]["aws"] = [body | local for body in reduced["provider"]["aws"]]
    reduced["terraform"]["required_providers"]["aws"]["version"] = provider_version
    backend = reduced["terraform"].get("backend", {})
    if "s3" in backend:
        backend["s3"] |= {
            "endpoints": dict.fromkeys(("s3", "sts", "iam"), endpoint),
            "use_path_style": True,
            "skip_credentials_validation": True,
            "skip_metadata_api_check": True,
            "skip_region_validation": True,
            "skip_requesting_account_id": True,
        }
        backend["s3"].pop("allowed_account_ids", None)
    return reduced, left_out
