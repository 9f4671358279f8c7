"""What Azure ML, its storage and Azure's sign-in refuse, as errors of ours in the user's terms."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from isocenter.backends.base import install_hint
from isocenter.errors import (
    EnvironmentFaultError,
    InputError,
    IsocenterError,
    NotFoundError,
    PolicyError,
    TransientFaultError,
)

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError

_DENIED = re.compile(r"[Tt]he client '(?P<who>[^']+)'.*? to perform action '(?P<what>[^']+)'")
_ROLES = (
    ("Microsoft.MachineLearningServices/", "AzureML Data Scientist on the workspace"),
    ("Microsoft.Storage/", "Storage Blob Data Contributor on the storage account"),
)
_SIGN_IN = "az login, or AZURE_CLIENT_ID, AZURE_TENANT_ID and a federated token."
_LONGEST = 600


@contextmanager
def explained(what: str, target: str) -> Iterator[None]:
    """Run a block that asks Azure; its errors leave as ours.

    Args:
        what: is asked for, after "may not": ``start the job``.
        target: the target's name.

    Raises:
        TransientFaultError: busy, failing inside, too slow, not reached.
        EnvironmentFaultError: no credentials, or expired ones; Azure's packages are missing.
        PolicyError: not allowed.
        InputError: anything else that the service, or the SDK before it, refuses.
    """
    try:
        from azure.ai.ml.exceptions import MlException
        from azure.core import exceptions
        from requests.exceptions import RequestException
    except ImportError as error:
        raise EnvironmentFaultError(
            f"The backend 'azureml' can't be used: the package {error.name or 'it needs'!r} is missing.",
            hint=install_hint("azureml"),
        ) from error
    try:
        yield
    except IsocenterError:
        raise
    except exceptions.HttpResponseError as error:
        raise _translated(error, what, target) from error
    except (exceptions.AzureError, RequestException, ConnectionError, TimeoutError) as error:
        raise TransientFaultError(
            f"{target} can't be reached: {type(error).__name__}.", hint="isocenter target check looks at it."
        ) from error
    except MlException as error:
        raise InputError(f"Azure ML's SDK refuses to {what}: {_short(str(error))}") from error


def _translated(error: "HttpResponseError", what: str, target: str) -> IsocenterError:
    from azure.core.exceptions import ClientAuthenticationError

    status, said = int(error.status_code or 0), _short(_message(error))
    if status in (408, 429) or status >= 500:
        problem = {429: "is busy", 408: "was too slow", 504: "was too slow"}.get(status, "failed inside")
        return TransientFaultError(f"{target} {problem} (HTTP {status}).", retry_after_s=_retry_after(error))
    if status == 403:
        return _denied(said, what, target)
    if status == 401 or isinstance(error, ClientAuthenticationError):
        kind = "doesn't accept the credentials" if status else "got no credentials"
        return EnvironmentFaultError(f"{target} {kind}: {said}", hint=_SIGN_IN)
    if status == 404:
        return NotFoundError(f"{target} has no such thing: {said}")
    return InputError(f"{target} refuses to {what}: {said}")


def _denied(said: str, what: str, target: str) -> PolicyError:
    found = _DENIED.search(said)
    if found is None:
        return PolicyError(f"Your identity may not {what} on {target}: {said}", hint=_SIGN_IN)
    role = next((role for begin, role in _ROLES if found["what"].startswith(begin)), "")
    ask = f"Ask for the role {role}." if role else f"Ask for a role with {found['what']}."
    return PolicyError(f"{found['who']} may not {what} on {target}: it lacks {found['what']}.", hint=ask)


def _message(error: "HttpResponseError") -> str:
    """ARM's own words, without the SDK's around them."""
    inner: Any = getattr(error, "error", None)
    return str(getattr(inner, "message", None) or error.message or error)


def _retry_after(error: "HttpResponseError") -> float | None:
    headers: Any = getattr(error.response, "headers", {})
    text = str(headers.get("Retry-After", ""))
    return float(text) if text.isdecimal() else None


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
