"""What Terraform's errors mean, and what to do about them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from isocenter.errors import (
    EnvironmentFaultError,
    InputError,
    IntegrityError,
    IsocenterError,
    JobFailedError,
    PolicyError,
)

_MOST_SHOWN = 3
_LONGEST = 400


@dataclass(frozen=True)
class Diagnostic:
    """One error of Terraform's.

    Args:
        summary: its first line.
        detail: the rest.
        address: of the resource; empty where it is about none.
    """

    summary: str
    detail: str = ""
    address: str = ""

    @property
    def text(self) -> str:
        """All of it."""
        return f"{self.summary}\n{self.detail}"


@dataclass(frozen=True)
class _Known:
    pattern: str
    kind: type[IsocenterError]
    message: str
    hint: str


# The first that matches explains the failure. {1}, {2} are the pattern's groups.
_KNOWN: Sequence[_Known] = (
    _Known(
        r"No valid credential sources|could not find default credentials"
        r"|Attempted to load application default|az login|obtain a (?:new )?(?:access )?token|ExpiredToken"
        r"|InvalidClientTokenId|SSO session.*expired|could not configure AzureCli Authorizer",
        EnvironmentFaultError,
        "There are no valid credentials for the cloud.",
        "AWS: aws sso login, or AWS_PROFILE; GCP: gcloud auth application-default login; Azure: az login."
        " In a workflow: the OIDC role of the deployment.",
    ),
    _Known(
        r"Failed to initialize kubernetes configuration|Kubernetes cluster unreachable"
        r"|Failed to construct REST client",
        EnvironmentFaultError,
        "The Kubernetes cluster of the settings can't be reached.",
        "Set KUBE_CONFIG_PATH to a kubeconfig file with the settings' context (kubectl config get-contexts).",
    ),
    _Known(
        # AWS' own words before it name a RequestID, which is no lock.
        r"Error acquiring the state lock(?:.*?Lock Info:\s+ID:\s+(\S+))?"
        r"(?:.*?Who:\s+(\S+))?(?:.*?Created:\s+([^\n]+))?",
        EnvironmentFaultError,
        "Somebody else is changing this deployment: the state is locked by {2} since {3} (lock {1}).",
        "Wait until it is done. If that run was killed: `terraform force-unlock {1}` in the stack's folder.",
    ),
    _Known(
        r"[Ss]aved plan is stale",
        IntegrityError,
        "The deployment has changed since this plan was made; it was not applied.",
        "Make a new plan, look at it, and deploy that one.",
    ),
    _Known(
        r"cannot import state|serial \d+ .{0,80} is (?:older|not newer)|cannot overwrite existing state",
        IntegrityError,
        "An earlier apply could not save its state, and the state has changed since.",
        "errored.tfstate in the stack's folder holds what that apply made: compare it with the state by hand,"
        " then remove it.",
    ),
    _Known(
        r"prevent_destroy|Instance cannot be destroyed",
        PolicyError,
        "The change would destroy data, keys or audit logs, which are protected.",
        "If that is really meant: make destroy CLOUD=... FORCE=1 REASON='...'.",
    ),
    _Known(
        r"BucketAlreadyExists|requested bucket name is not available|StorageAccountAlreadyTaken"
        r"|BucketAlreadyOwnedByYou.*another|name .{0,80} is already (?:taken|in use)",
        InputError,
        "A global name is taken by somebody else{at}.",
        "Set `prefix` in the settings file to something of your own.",
    ),
    _Known(
        r"InvalidBucketName|[Ii]nvalid (?:bucket|storage account) name|can only consist of lowercase",
        InputError,
        "A name is not allowed in this cloud{at}.",
        "Set `prefix` in the settings file: lower-case letters, digits and hyphens.",
    ),
    _Known(
        r"NoSuchBucket|bucket .{0,80} does not exist|storage: bucket doesn't exist"
        r"|container .{0,80} not found|S3 bucket .{0,100} does not exist",
        EnvironmentFaultError,
        "The bucket of Terraform's state isn't there.",
        "Make it once: make bootstrap CLOUD=...",
    ),
    _Known(
        r"(?:ServiceQuotaExceeded|LimitExceeded|QuotaExceeded|quota.{0,40}exceeded|Quota exceeded)[^\n]*",
        EnvironmentFaultError,
        "A quota of the cloud is reached{at}: {0}.",
        "Ask the cloud for a higher one, or lower compute.gpu in the settings file; then run it again.",
    ),
    _Known(
        r"(?:AccessDenied|UnauthorizedOperation|not authorized to perform|AuthorizationFailed|Error 403"
        r"|Permission ')[^\n]*",
        EnvironmentFaultError,
        "The identity may not do what the change needs{at}: {0}.",
        "Ask for exactly that permission, or use the deployment's ci-deploy role.",
    ),
    _Known(
        r"no space left on device|ENOSPC",
        EnvironmentFaultError,
        "The disk is full.",
        "Free some space, then run the same command again: it continues.",
    ),
    _Known(
        r"Failed to query available provider packages|Failed to install provider"
        r"|could not connect to registry|provider registry .{0,100} does not have",
        EnvironmentFaultError,
        "A provider can't be installed: the registry can't be reached, or lacks it.",
        "Check the network, or set TF_PLUGIN_DIR to a folder that holds the providers.",
    ),
    _Known(
        r"connection refused|no such host|i/o timeout|connection reset by peer"
        r"|context deadline exceeded|EOF$",
        EnvironmentFaultError,
        "The cloud can't be reached{at}.",
        "Check the network (or the emulator), then run the same command again: it continues.",
    ),
)


def explain(diagnostics: Sequence[Diagnostic]) -> IsocenterError:
    """The error to raise for a run that failed with ``diagnostics``."""
    for known in _KNOWN:
        for diagnostic in diagnostics:
            match = re.search(known.pattern, diagnostic.text, re.S | re.I)
            if match:
                words = [
                    *(group or "unknown" for group in (match[0].splitlines()[0], *match.groups())),
                    *["unknown"] * 4,
                ]
                at = f" ({diagnostic.address})" if diagnostic.address else ""
                return known.kind(known.message.format(*words, at=at), hint=known.hint.format(*words))
    return JobFailedError(
        _unknown(diagnostics), hint="Nothing is lost: mend it, then run the same command again."
    )


def _unknown(diagnostics: Sequence[Diagnostic]) -> str:
    if not diagnostics:
        return "Terraform failed without saying why."
    shown = [f"{d.address or 'the stack'}: {_line(d)}" for d in diagnostics[:_MOST_SHOWN]]
    more = f" and {len(diagnostics) - _MOST_SHOWN} more" if len(diagnostics) > _MOST_SHOWN else ""
    return f"Terraform failed: {'; '.join(shown)}{more}."


def _line(diagnostic: Diagnostic) -> str:
    return " ".join(diagnostic.text.split())[:_LONGEST]
