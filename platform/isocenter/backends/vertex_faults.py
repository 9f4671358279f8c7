"""What Vertex AI, Cloud Logging and Google's sign-in refuse, as errors of ours in the user's terms."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

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
    from google.api_core.exceptions import GoogleAPICallError

_PERMISSION = re.compile(r"[Pp]ermission '?([a-z]+(?:\.[A-Za-z]+)+)'?")
# A quota that is used up stays used up; "per minute" ones are throttling.
_USED_UP = re.compile(r"quota metrics? exceed|aiplatform\.googleapis\.com/\w*(gpus|cpus)", re.I)
_ROLES = (
    ("iam.serviceAccounts.actAs", "Service Account User (roles/iam.serviceAccountUser) on the job's account"),
    ("aiplatform.", "Vertex AI User (roles/aiplatform.user)"),
    ("logging.", "Logs Viewer (roles/logging.viewer)"),
    ("storage.", "Storage Object User (roles/storage.objectUser) on the bucket"),
)
_SIGN_IN = "gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS."
_LONGEST = 600


@contextmanager
def explained(what: str, target: str) -> Iterator[None]:
    """Run a block that asks Google; its errors leave as ours.

    Args:
        what: is asked for, after "may not": ``start the job``.
        target: the target's name.

    Raises:
        TransientFaultError: busy, failing inside, too slow, not reached.
        EnvironmentFaultError: credentials or Google's libraries are missing, or a quota is used up.
        PolicyError: not allowed.
        InputError: anything else that the service refuses.
    """
    try:
        from google.api_core.exceptions import GoogleAPICallError, RetryError
        from google.auth.exceptions import GoogleAuthError, TransportError
        from google.cloud import aiplatform_v1  # noqa: F401
        from requests.exceptions import RequestException
    except ImportError as error:
        raise EnvironmentFaultError(
            f"The backend 'vertex' can't be used: the package {error.name or 'it needs'!r} is missing.",
            hint=install_hint("vertex"),
        ) from error
    try:
        yield
    except IsocenterError:
        raise
    except GoogleAPICallError as error:
        raise _translated(error, what, target) from error
    except (RetryError, RequestException, TransportError, ConnectionError, TimeoutError) as error:
        raise TransientFaultError(
            f"{target} can't be reached: {type(error).__name__}.", hint="isocenter target check looks at it."
        ) from error
    except GoogleAuthError as error:
        raise EnvironmentFaultError(
            f"There are no Google credentials that work: {_short(str(error))}", hint=_SIGN_IN
        ) from error


def _translated(error: "GoogleAPICallError", what: str, target: str) -> IsocenterError:
    code, said = int(error.code or 0), _short(error.message or "")
    if code == 429 and _USED_UP.search(error.message or ""):
        return EnvironmentFaultError(
            f"The quota of {target} is used up: {said}", hint="Ask for more, or another size or region."
        )
    if code in (408, 429) or code >= 500:
        said = {429: "is busy", 408: "was too slow", 504: "was too slow"}.get(code, "failed inside")
        return TransientFaultError(f"{target} {said} (HTTP {code}).", retry_after_s=_retry_after(error))
    if code == 401:
        return EnvironmentFaultError(f"{target} doesn't accept the credentials: {said}", hint=_SIGN_IN)
    if code == 403:
        return _forbidden(said, what, target)
    if code == 404:
        return NotFoundError(f"{target} has no such thing: {said}")
    return InputError(f"{target} refuses to {what}: {said}")


def _forbidden(said: str, what: str, target: str) -> PolicyError:
    found = _PERMISSION.search(said)
    permission = found[1] if found else ""
    role = next((role for begin, role in _ROLES if permission.startswith(begin)), "")
    if not permission:
        return PolicyError(f"Your account may not {what} on {target}: {said}")
    ask = f"Ask for the role {role}." if role else f"Ask for a role with {permission}."
    return PolicyError(f"Your account may not {what} on {target}: it lacks {permission}.", hint=ask)


def _retry_after(error: "GoogleAPICallError") -> float | None:
    response = getattr(error, "response", None)
    text = response.headers.get("Retry-After", "") if response is not None else ""
    return float(text) if text.isdecimal() else None


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
