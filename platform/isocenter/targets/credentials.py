"""Credentials of each SDK's standard chain, looked for before a service is asked, so that it is said at once
where there are none.

An emulated target needs none, and gets none of the user's.
"""

import logging
import os
from functools import cache
from typing import TYPE_CHECKING

from isocenter.errors import EnvironmentFaultError

if TYPE_CHECKING:
    from azure.identity import DefaultAzureCredential
    from botocore.credentials import Credentials
    from google.auth.credentials import Credentials as GoogleCredentials

    from isocenter.targets.descriptor import DeploymentDescriptor

_GOOGLE_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_AZURE_SCOPE = "https://management.azure.com/.default"
# Azure's chain asks the machine's metadata service five times over, which takes it half a minute where
# something else answers in its place; each client begins anew.
AZURE_RETRIES = {"retry_total": 1, "retry_status": 1}
# By these the file system of abfss:// enters an account without that chain.
_STORAGE_KEYS = {
    *("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_CONNECTION_STRING"),
    *("AZURE_STORAGE_CLIENT_SECRET", "AZURE_STORAGE_ANON"),
}
AWS_HINT = "aws sso login and AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
SITE_HINT = "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: those of the object store itself."
AZURE_HINT = "az login, or AZURE_CLIENT_ID, AZURE_TENANT_ID and a federated token."
GOOGLE_HINT = "gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS."


def refuse_without_credentials(descriptor: "DeploymentDescriptor", scheme: str) -> None:
    """Raise unless the chain that the file system of ``scheme`` uses finds credentials.

    Args:
        descriptor: of the target.
        scheme: of a URI of one of its buckets.

    Raises:
        EnvironmentFaultError: there are none; says whose chain looked where, and how to log in.
    """
    if descriptor.emulated:
        return
    try:
        _refuse(descriptor, scheme)
    except ImportError:
        return  # the file system will say what isn't installed


def _refuse(descriptor: "DeploymentDescriptor", scheme: str) -> None:
    match scheme:
        case "s3":
            site = "object-store" in descriptor.endpoints  # a hospital's own
            whose = f"There are no {'' if site else 'AWS '}credentials for"
            where = f"the object store of {descriptor.name}" if site else descriptor.name
            aws_credentials(f"{whose} {where}", SITE_HINT if site else AWS_HINT)
        case "gs":
            google_credentials(descriptor.name)
        case "abfs" | "abfss" if not _STORAGE_KEYS & os.environ.keys():
            refuse_without_azure(descriptor.name)


def aws_credentials(lack: str, hint: str) -> "Credentials":
    """Those of boto3's chain.

    https://docs.aws.amazon.com/boto3/latest/guide/credentials.html

    Args:
        lack: how the error begins.
        hint: how it ends.

    Raises:
        EnvironmentFaultError: there are none, or the profile is wrong.
    """
    from botocore.exceptions import BotoCoreError
    from botocore.session import get_session

    try:
        found: Credentials | None = get_session().get_credentials()
    except BotoCoreError as error:
        raise EnvironmentFaultError(f"{lack}: {error}", hint=hint) from error
    if found is None:
        raise EnvironmentFaultError(
            f"{lack}: boto3's chain (environment, profile, single sign-on, the machine's role) found none.",
            hint=hint,
        )
    return found


def google_credentials(target: str) -> "GoogleCredentials":
    """The application default credentials.

    https://cloud.google.com/docs/authentication/application-default-credentials

    Raises:
        EnvironmentFaultError: there are none.
    """
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        found: GoogleCredentials = google.auth.default(scopes=[_GOOGLE_SCOPE])[0]
    except DefaultCredentialsError as error:
        raise EnvironmentFaultError(
            f"There are no Google credentials for {target}: google-auth's chain"
            " (GOOGLE_APPLICATION_CREDENTIALS, gcloud's application default login, the machine's service"
            " account) found none that work.",
            hint=GOOGLE_HINT,
        ) from error
    return found


def refuse_without_azure(target: str) -> None:
    """Raise unless one of azure-identity's chain gives a token.

    https://learn.microsoft.com/azure/developer/python/sdk/authentication/credential-chains

    Raises:
        EnvironmentFaultError: none does.
    """
    from azure.core.exceptions import ClientAuthenticationError

    try:
        azure_credential().get_token(_AZURE_SCOPE)
    except ClientAuthenticationError as error:
        refused = next((line.strip() for line in str(error).splitlines() if "AADSTS" in line), "")
        raise EnvironmentFaultError(
            f"There are no Azure credentials for {target}: azure-identity's DefaultAzureCredential"
            " (environment, workload identity, managed identity, az login) found none that work"
            f"{refused and ': '}{refused[:300]}.",
            hint=AZURE_HINT,
        ) from error


@cache
def azure_credential() -> "DefaultAzureCredential":
    """azure-identity's chain, one for the process: what gave a token once is asked first."""
    from azure.identity import DefaultAzureCredential

    # Each link of the chain that has none is logged as a warning.
    logging.getLogger("azure.identity").setLevel(logging.ERROR)
    return DefaultAzureCredential(**AZURE_RETRIES, connection_timeout=2)
