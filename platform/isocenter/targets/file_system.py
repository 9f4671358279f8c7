"""The file system in which a target's buckets lie, through fsspec: the same calls on every cloud."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isocenter.errors import EnvironmentFaultError
from isocenter.targets.descriptor import DeploymentDescriptor

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# URI scheme -> the extra that brings its file system.
EXTRAS: Mapping[str, str] = {"s3": "aws", "gs": "gcp", "abfs": "azure", "abfss": "azure"}


def target_files(descriptor: DeploymentDescriptor, uri: str) -> "AbstractFileSystem":
    """The file system of ``uri``, with the credentials of the SDK's standard chain.

    Args:
        descriptor: of the target; an emulated one names the addresses of its services.
        uri: e.g. one of the descriptor's buckets.

    Raises:
        EnvironmentFaultError: the cloud's file system isn't installed.
        ImportError: likewise, for a scheme that is no cloud's.
    """
    import fsspec

    scheme = uri.partition("://")[0]
    try:
        if scheme == "gs":
            # What fsspec has for gs:// asks a gRPC service for each bucket's kind; ours are flat.
            from gcsfs.core import GCSFileSystem

            return GCSFileSystem(skip_instance_cache=True, **_options(descriptor, scheme))
        return fsspec.filesystem(scheme, skip_instance_cache=True, **_options(descriptor, scheme))
    except ImportError as error:
        if scheme not in EXTRAS:
            raise
        raise EnvironmentFaultError(
            f"The file system of {scheme}:// is not installed.",
            hint=f"pip install 'isocenter[{EXTRAS[scheme]}]'",
        ) from error


def _options(descriptor: DeploymentDescriptor, scheme: str) -> dict[str, Any]:
    """Where an emulated target's buckets are; nothing for a real one."""
    address = descriptor.endpoints.get(f"{descriptor.provider}-storage") or descriptor.endpoints.get(
        descriptor.provider
    )
    if not descriptor.emulated or not address:
        return {}
    match scheme:
        case "s3":
            return {"endpoint_url": address, "key": "emulated", "secret": "emulated"}
        case "gs":
            return {"endpoint_url": address, "token": "anon"}
        case "abfs" | "abfss":
            return {"connection_string": address, "account_name": None}
    return {}
