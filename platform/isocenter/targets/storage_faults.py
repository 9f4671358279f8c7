"""Faults of a target's storage in the user's terms: denied, unknown credentials, nothing there, not reached.

Each file system of fsspec has errors of its own, and keeps the service's answer somewhere behind them.
"""

from collections.abc import Iterator

from isocenter.errors import (
    EnvironmentFaultError,
    IsocenterError,
    NotFoundError,
    PolicyError,
    TransientFaultError,
)
from isocenter.targets.credentials import AWS_HINT, AZURE_HINT, GOOGLE_HINT

# By the SDKs' chains; a file system that is made first and asked later meets them late.
_NONE_FOUND = frozenset(
    ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "CredentialUnavailableError")
)
_CHECK = "isocenter target check looks at it"
_SIGN_IN = {"s3": AWS_HINT, "gs": GOOGLE_HINT, "abfs": AZURE_HINT, "abfss": AZURE_HINT}
# 403 too, but about who asks, not about what they may do.
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
# https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
_UNKNOWN_CALLER = frozenset(
    (
        *("ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId"),
        *("SignatureDoesNotMatch", "RequestTimeTooSkewed", "AuthenticationFailed"),
        *("InvalidAuthenticationInfo", "NoAuthenticationInformation"),
    )
)


def storage_fault(error: Exception, place: str, scheme: str = "") -> IsocenterError:
    """What ``error`` of a file system says about the storage of ``place``.

    Args:
        error: as the file system raised it.
        place: a target's name, or an address, for the message.
        scheme: of the address; chooses how to sign in.

    Returns:
        PolicyError where the caller may not do that, EnvironmentFaultError where the credentials aren't
        accepted, NotFoundError where the bucket or file isn't there; else TransientFaultError: it may pass.
    """
    if any(type(each).__name__ in _NONE_FOUND for each in _causes(error)):
        return EnvironmentFaultError(
            f"There are no credentials for the storage of {place}.",
            hint=f"Sign in: {_SIGN_IN.get(scheme, 'see your storage.')}",
        )
    status, code = _answer(error)
    told = f" ({code})" if code else ""
    if status == 401 or code in _UNKNOWN_CALLER:
        return EnvironmentFaultError(
            f"The storage of {place} doesn't accept the credentials{told}.",
            hint=f"Sign in anew: {_SIGN_IN.get(scheme, 'they may have expired.')}",
        )
    if status == 403:
        return PolicyError(
            f"The storage of {place} denies it{told}: these credentials may not read or write there.",
            hint=f"Ask for the role that may use its buckets, or be somebody else; {_CHECK}.",
        )
    if status == 400:  # S3's answer without a body to a token that has expired
        return EnvironmentFaultError(
            f"The storage of {place} refuses the request{told or ' (400)'}, as with expired credentials.",
            hint=f"Sign in anew: {_SIGN_IN.get(scheme, 'they may have expired.')}",
        )
    if status == 404:
        return NotFoundError(f"The storage of {place} has no such bucket or file{told}.", hint=f"{_CHECK}.")
    slow = isinstance(error, TimeoutError)
    said = "didn't answer in time" if slow else f"can't be reached: {type(error).__name__}"
    return TransientFaultError(
        f"The storage of {place} {said}.", hint=f"{_CHECK}; the same command again continues."
    )


def _answer(error: BaseException) -> tuple[int | None, str]:
    """The service's status and its name for the error, as far as ``error`` and its causes know them."""
    status, code = None, ""
    for each in _causes(error):
        answer = getattr(each, "response", None)
        if isinstance(answer, dict):  # botocore.exceptions.ClientError
            status = status or answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
            code = code or str(answer.get("Error", {}).get("Code", ""))
        numbers = (getattr(each, name, None) for name in ("status_code", "code"))  # azure-core, gcsfs
        status = status or next((int(n) for n in map(str, numbers) if n.isdecimal()), None)
        name = getattr(each, "error_code", None)
        code = code or str(getattr(name, "value", name) or "")
        status = status or _implied(each)
    return status, code if not code.isdecimal() else ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _implied(error: BaseException) -> int | None:
    if isinstance(error, PermissionError) or str(error).startswith("Forbidden"):  # as gcsfs says it
        return 403
    return 404 if isinstance(error, FileNotFoundError) else None
