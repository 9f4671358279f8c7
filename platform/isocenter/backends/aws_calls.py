"""Calls to AWS through boto3: clients with a target's addresses, and faults in our words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from isocenter.errors import (
    EnvironmentFaultError,
    InputError,
    IsocenterError,
    NotFoundError,
    PolicyError,
    TransientFaultError,
)
from isocenter.targets.descriptor import DeploymentDescriptor

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_CONNECT_S, _READ_S = 10.0, 60.0
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html, and S3's and STS's own.
_BUSY = frozenset(
    (
        *("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "SlowDown"),
        *("RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "BandwidthLimitExceeded"),
        *("RequestTimeout", "RequestTimeoutException", "ServiceUnavailable", "InternalFailure"),
    )
)
_CREDENTIALS = frozenset(
    (
        *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "InvalidToken"),
        *("UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "OptInRequired"),
        *("InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken", "NotSignedUp"),
        *("MissingAuthenticationTokenException", "AuthFailure", "TokenRefreshRequired"),
    )
)
_MISSING = frozenset(("ResourceNotFound", "ResourceNotFoundException"))
_DENIED = frozenset(("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"))
_SIGN_IN = "aws sts get-caller-identity shows who you are; aws sso login, or AWS_PROFILE, changes it."
_WHO = re.compile(
    r"User: (?P<who>\S+) is not authorized to perform: (?P<what>\S+)(?: on resource: (?P<where>\S+))?"
)


def aws_client(descriptor: DeploymentDescriptor, service: str, *, read_timeout_s: float = _READ_S) -> Any:
    """boto3's client of ``service`` for a target; credentials by the SDK's standard chain.

    An emulated target gets credentials that are no secret, so that none of the user's are sent to it. Nothing
    is asked again here: that is done once, above the backends.

    Raises:
        EnvironmentFaultError: boto3 isn't installed, or the profile in the environment doesn't exist.
    """
    try:
        from boto3.session import Session
        from botocore.config import Config
    except ImportError as error:
        raise EnvironmentFaultError("boto3 is not installed.", hint="pip install 'isocenter[aws]'") from error
    config = Config(
        connect_timeout=min(_CONNECT_S, read_timeout_s),
        read_timeout=read_timeout_s,
        retries={"total_max_attempts": 1, "mode": "standard"},
        user_agent_extra="isocenter",
    )
    keys = {"aws_access_key_id": "emulated", "aws_secret_access_key": "emulated"}
    with asking():
        return Session().client(
            service,
            region_name=descriptor.region,
            endpoint_url=_address(descriptor, service),
            config=config,
            **(keys if descriptor.emulated else {}),
        )


def _address(descriptor: DeploymentDescriptor, service: str) -> str | None:
    if service == "s3" and "aws-storage" in descriptor.endpoints:
        return descriptor.endpoints["aws-storage"]
    return descriptor.endpoints.get("aws")


@contextmanager
def asking() -> Iterator[None]:
    """Whatever boto3 raises in the block comes out as an error of ours.

    Raises:
        TransientFaultError: throttled, failed inside, timed out, not reached.
        EnvironmentFaultError: no credentials, or expired or unknown ones; a quota.
        PolicyError: the identity may not do it.
        InputError: the request is refused.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _explained(error) from error
    except BotoCoreError as error:
        raise _without_answer(error) from error


def error_code(error: "ClientError") -> str:
    """AWS's name of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: "ClientError") -> str:
    """AWS's words about an error."""
    return str(error.response.get("Error", {}).get("Message", ""))


def _explained(error: "ClientError") -> IsocenterError:
    code, message = error_code(error), error_message(error)
    answer = error.response.get("ResponseMetadata", {})
    if code in _BUSY or answer.get("HTTPStatusCode", 0) >= 500 or answer.get("HTTPStatusCode") == 429:
        wait = str(answer.get("HTTPHeaders", {}).get("retry-after", ""))
        return TransientFaultError(
            f"AWS is busy ({code}: {message}).", retry_after_s=float(wait) if wait.isdecimal() else None
        )
    if code in _CREDENTIALS:
        return EnvironmentFaultError(f"AWS doesn't accept the credentials ({code}).", hint=_SIGN_IN)
    if code in _DENIED:
        return _denied(message)
    if code in ("ResourceLimitExceeded", "LimitExceededException"):
        return EnvironmentFaultError(
            f"A quota of the AWS account is used up: {message}",
            hint="Ask for more under Service Quotas in the AWS console, or wait for other jobs to end.",
        )
    if code in _MISSING:
        return NotFoundError(f"AWS has no such thing ({code}): {message}")
    return InputError(f"AWS refuses the request ({code}): {message}")


def _denied(message: str) -> PolicyError:
    found = _WHO.search(message)
    if found is None:
        return PolicyError(f"AWS denies it: {message}", hint=_SIGN_IN)
    where = f" on {found['where']}" if found["where"] else ""
    return PolicyError(
        f"{found['who']} may not {found['what']}{where}.",
        hint=f"Ask the account's administrators for {found['what']}, or be somebody else (AWS_PROFILE).",
    )


def _without_answer(error: Exception) -> IsocenterError:
    """A fault of this side, or of the way: AWS has not answered."""
    from botocore import exceptions

    local = (
        *(exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound),
        *(exceptions.CredentialRetrievalError, exceptions.SSOError, exceptions.MetadataRetrievalError),
        *(exceptions.TokenRetrievalError, exceptions.RefreshWithMFAUnsupportedError),
    )
    if isinstance(error, local):
        return EnvironmentFaultError(f"There are no usable AWS credentials: {error}", hint=_SIGN_IN)
    if isinstance(error, exceptions.SSLError):
        hint = "Set AWS_CA_BUNDLE to your proxy's authority."
        return EnvironmentFaultError(f"AWS's certificate isn't trusted here: {error}", hint=hint)
    on_the_way = (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.ReadTimeoutError)
    if isinstance(error, on_the_way):
        hint = "isocenter target check looks at the target."
        return TransientFaultError(f"AWS can't be reached ({type(error).__name__}).", hint=hint)
    return InputError(f"AWS can't be asked that: {error}")
