"""CloudWatch filter patterns on the trail: what must raise an alarm.

The first ones are those of the CIS AWS Foundations Benchmark, section 4 (monitoring).
"""

from collections.abc import Mapping, Sequence


def _events(source: str, names: Sequence[str]) -> str:
    named = " || ".join(f"($.eventName = {name})" for name in names)
    return f"{{ ($.eventSource = {source}.amazonaws.com) && ({named}) }}"


ALARMS: Mapping[str, str] = {
    "unauthorized": '{ ($.errorCode = "*UnauthorizedOperation") || ($.errorCode = "AccessDenied*") }',
    "login-without-mfa": (
        '{ ($.eventName = "ConsoleLogin") && ($.additionalEventData.MFAUsed != "Yes")'
        ' && ($.userIdentity.type = "IAMUser") && ($.responseElements.ConsoleLogin = "Success") }'
    ),
    "root-used": (
        '{ $.userIdentity.type = "Root" && $.userIdentity.invokedBy NOT EXISTS'
        ' && $.eventType != "AwsServiceEvent" }'
    ),
    "trail-changed": _events(
        "cloudtrail", ["UpdateTrail", "DeleteTrail", "StopLogging", "PutEventSelectors"]
    ),
    "key-disabled": _events("kms", ["DisableKey", "ScheduleKeyDeletion", "DisableKeyRotation"]),
    "bucket-opened": _events(
        "s3",
        [
            "PutBucketPolicy",
            "DeleteBucketPolicy",
            "PutBucketPublicAccessBlock",
            "DeleteBucketPublicAccessBlock",
            "DeleteBucketEncryption",
            "PutBucketReplication",
        ],
    ),
    "network-changed": _events(
        "ec2",
        [
            "AuthorizeSecurityGroupEgress",
            "AuthorizeSecurityGroupIngress",
            "CreateRoute",
            "CreateInternetGateway",
            "CreateNatGateway",
            "CreateVpcEndpoint",
            "ModifyVpcEndpoint",
        ],
    ),
    "identity-changed": _events(
        "iam",
        [
            "AttachRolePolicy",
            "PutRolePolicy",
            "UpdateAssumeRolePolicy",
            "CreateAccessKey",
            "CreateUser",
            "CreateRole",
        ],
    ),
    "config-changed": _events("config", ["StopConfigurationRecorder", "DeleteDeliveryChannel"]),
}


def break_glass_pattern(role_arn: str) -> str:
    """Matches each use of the break-glass role."""
    return f'{{ ($.eventName = "AssumeRole*") && ($.requestParameters.roleArn = "{role_arn}") }}'
