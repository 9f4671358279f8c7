"""Where a target reads a version's bundle, and bringing it there."""

from isocenter.audit.trail import AuditTrail
from isocenter.domain.model import ModelVersion
from isocenter.errors import PolicyError
from isocenter.home import Home
from isocenter.storage.artifacts import ArtifactStore
from isocenter.targets.target import LOCAL, Target


def place_of(home: Home, target: Target, version: ModelVersion) -> str:
    """Where the target reads it; follows from the content, so it is known before anything is copied.

    Raises:
        PolicyError: images that the endpoint is asked about would leave the store's residency zone.
    """
    if target != LOCAL and home.residency and home.residency != target.residency:
        raise PolicyError(
            f"Data of this store must stay in {home.residency!r}; the target {target.name} lies in"
            f" {target.residency or 'no known zone'!r}.",
            hint="Choose a target in that zone: isocenter target list.",
        )
    folder = ArtifactStore(home).path(version.artifact_digest)
    descriptor = target.descriptor
    if descriptor is None or "models" not in descriptor.buckets:
        return str(folder)
    return f"{descriptor.buckets['models']}/artifacts/{folder.name}"


def bring(home: Home, target: Target, digest: str, trail: AuditTrail) -> None:
    """Copy the bundle to the target, unless it is there.

    Raises:
        TransientFaultError: the target's storage can't be reached.
    """
    descriptor = target.descriptor
    if descriptor is not None and "models" in descriptor.buckets:
        from isocenter.pipelines.staging import upload_artifact

        upload_artifact(ArtifactStore(home).path(digest), descriptor, trail)
