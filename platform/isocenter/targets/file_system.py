"""The file system in which a target's buckets lie, through fsspec: the same calls on every cloud."""

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from isocenter.errors import EnvironmentFaultError
from isocenter.targets.credentials import AZURE_RETRIES, google_credentials, refuse_without_credentials

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from isocenter.targets.descriptor import DeploymentDescriptor

# URI scheme -> the extra that brings its file system.
EXTRAS: Mapping[str, str] = {"s3": "aws", "gs": "gcp", "abfs": "azure", "abfss": "azure"}
# The account key that every Azurite has, published by Microsoft: no secret.
_AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def target_files(descriptor: "DeploymentDescriptor", uri: str) -> "AbstractFileSystem":
    """The file system of ``uri``, with the credentials of the SDK's standard chain.

    Args:
        descriptor: of the target; an emulated one names the addresses of its services.
        uri: e.g. one of the descriptor's buckets.

    Raises:
        EnvironmentFaultError: the cloud's file system isn't installed, or there are no credentials.
        ImportError: likewise, for a scheme that is no cloud's.
    """
    import fsspec

    scheme = uri.partition("://")[0]
    try:
        if scheme == "gs":
            # What fsspec has for gs:// asks a gRPC service for each bucket's kind; ours are flat.
            from gcsfs.core import GCSFileSystem

            if not os.environ.get("GCSFS_DEBUG"):
                # It logs each fault with its traceback before it raises it; we say it in a line.
                logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
            # Left alone, it would go on as nobody where there are no credentials.
            found = {} if descriptor.emulated else {"token": google_credentials(descriptor.name)}
            options = {**storage_options(descriptor, scheme, uri), **found}
            return GCSFileSystem(skip_instance_cache=True, **options)
        refuse_without_credentials(descriptor, scheme)
        return fsspec.filesystem(scheme, skip_instance_cache=True, **storage_options(descriptor, scheme, uri))
    except ImportError as error:
        if scheme not in EXTRAS:
            raise
        raise EnvironmentFaultError(
            f"The file system of {scheme}:// is not installed.",
            hint=f"pip install 'isocenter[{EXTRAS[scheme]}]'",
        ) from error


def emulated_azure(address: str) -> str:
    """How clients find and enter Azurite's account at ``address``, ``http://127.0.0.1:PORT/ACCOUNT``.

    https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string
    """
    account = urlsplit(address).path.strip("/")
    parts = {
        "DefaultEndpointsProtocol": urlsplit(address).scheme,
        "AccountName": account,
        "AccountKey": _AZURITE_KEY,
        "BlobEndpoint": address,
    }
    return "".join(f"{name}={value};" for name, value in parts.items())


def storage_options(descriptor: "DeploymentDescriptor", scheme: str, uri: str) -> dict[str, Any]:
    """Where an emulated target's buckets are; of a real one only what its address doesn't say elsewhere.

    In the words of the fsspec file system of ``scheme``.
    """
    if scheme == "file":  # a mounted share
        return {"auto_mkdir": True}
    address = descriptor.endpoints.get(f"{descriptor.provider}-storage") or descriptor.endpoints.get(
        descriptor.provider
    )
    site = descriptor.endpoints.get("object-store")
    if scheme == "s3" and site and not descriptor.emulated:  # a hospital's own; credentials by the chain
        return {"endpoint_url": site}
    if not descriptor.emulated or not address:
        # abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/...: adlfs wants to be told the account.
        is_azure = scheme in ("abfs", "abfss")
        account = (urlsplit(uri).hostname or "").partition(".")[0]
        return {"account_name": account, **AZURE_RETRIES} if is_azure else {}
    match scheme:
        case "s3":
            return {"endpoint_url": address, "key": "emulated", "secret": "emulated"}
        case "gs":
            return {"endpoint_url": address, "token": "anon"}
        case "abfs" | "abfss":
            return {"connection_string": emulated_azure(address)}
    return {}
