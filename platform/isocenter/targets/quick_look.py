"""Whether a file is in a target's bucket, asked without the libraries that carry files.

They take longer to load than all else that is done before a job is submitted. Here the client that the
target's backend has loaded anyway is asked, and for s3:// obstore, which loads in a tenth of boto3's time.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from isocenter.targets.file_system import storage_options

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from obstore.store import ClientConfig, S3Credential

    from isocenter.targets.descriptor import DeploymentDescriptor

_CONNECT_S, _READ_S = 5, 10


def is_surely_there(descriptor: "DeploymentDescriptor", uri: str) -> bool:
    """True: the file is there. False: it isn't, or this can't tell; then the file system is to be asked.

    Args:
        descriptor: of the target.
        uri: of a file in one of the target's buckets.
    """
    scheme = uri.partition("://")[0]
    if scheme not in _ASK:
        return False
    try:
        return _ASK[scheme](descriptor, uri, storage_options(descriptor, scheme, uri))
    except Exception:  # missing library, credentials, network: the file system says in full what is wrong
        return False


def _on_s3(descriptor: "DeploymentDescriptor", uri: str, options: Mapping[str, Any]) -> bool:
    from obstore import head
    from obstore.store import S3Store

    bucket, _, name = uri.removeprefix("s3://").partition("/")
    credentials = _Given(options["key"], options["secret"]) if "key" in options else _Found()
    where = {"endpoint": options["endpoint_url"]} if "endpoint_url" in options else {}
    limits: ClientConfig = {"connect_timeout": f"{_CONNECT_S}s", "timeout": f"{_READ_S}s"}
    limits["allow_http"] = where.get("endpoint", "").startswith("http:")
    if bundle := os.environ.get("AWS_CA_BUNDLE"):
        limits["root_certificate"] = Path(bundle).read_bytes()
    store = S3Store(
        bucket,
        region=descriptor.region or os.environ.get("AWS_REGION") or "us-east-1",
        credential_provider=credentials,
        retry_config={"max_retries": 0},
        client_options=limits,
        **where,
    )
    head(store, name)  # raises where there is none
    return True


class _Given:
    """Credentials that are no secret: an emulated target gets none of the user's."""

    def __init__(self, key: str, secret: str) -> None:
        self._key, self._secret = key, secret

    def __call__(self) -> "S3Credential":
        return {"access_key_id": self._key, "secret_access_key": self._secret, "expires_at": None}


class _Found:
    """Credentials of the SDK's standard chain (variables, profile, sign-on, role), as s3fs takes them."""

    def __call__(self) -> "S3Credential":
        from botocore.session import get_session

        found: Credentials | None = get_session().get_credentials()
        if found is None:
            raise LookupError("There are no AWS credentials.")
        frozen = found.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": None,
        }


def _on_gs(descriptor: "DeploymentDescriptor", uri: str, options: Mapping[str, Any]) -> bool:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    bucket, _, name = uri.removeprefix("gs://").partition("/")
    where = {"client_options": {"api_endpoint": options["endpoint_url"]}} if options else {}
    client = Client(
        project=descriptor.settings.get("project"),
        credentials=AnonymousCredentials() if options.get("token") == "anon" else None,
        **where,
    )
    return bool(client.bucket(bucket).blob(name).exists(timeout=(_CONNECT_S, _READ_S), retry=None))


def _on_azure(descriptor: "DeploymentDescriptor", uri: str, options: Mapping[str, Any]) -> bool:
    from azure.storage.blob import BlobClient

    parts = urlsplit(uri)
    container, name = parts.username or "", parts.path.lstrip("/")
    limits: dict[str, Any] = {"retry_total": 0, "connection_timeout": _CONNECT_S, "read_timeout": _READ_S}
    if "connection_string" in options:
        blob = BlobClient.from_connection_string(options["connection_string"], container, name, **limits)
    else:
        from isocenter.targets.credentials import azure_credential

        host = (parts.hostname or "").replace(".dfs.", ".blob.", 1)
        blob = BlobClient(f"https://{host}", container, name, credential=azure_credential(), **limits)
    with blob:
        return bool(blob.exists())


_ASK: "Mapping[str, Callable[[DeploymentDescriptor, str, Mapping[str, Any]], bool]]" = {
    "s3": _on_s3,
    "gs": _on_gs,
    "abfs": _on_azure,
    "abfss": _on_azure,
}
