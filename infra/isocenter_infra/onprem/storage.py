"""Encrypted volumes. Patient data's own place is the hospital's object store, which is there already."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_kubernetes.persistent_volume_claim_v1 import (
    PersistentVolumeClaimV1,
    PersistentVolumeClaimV1Metadata,
    PersistentVolumeClaimV1Spec,
    PersistentVolumeClaimV1SpecResources,
)
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.onprem.names import onprem_settings
from isocenter_infra.onprem.namespace import Namespace
from isocenter_infra.onprem.quantity import gib

VOLUMES = ("datasets", "checkpoints", "models")


@dataclass(frozen=True)
class StorageArgs:
    """What the storage needs to know.

    Args:
        deployment: it belongs to.
        namespace: that it lies in.
    """

    deployment: Deployment
    namespace: Namespace


class Storage(Construct):
    """A claim for each of ``VOLUMES`` on the settings' encrypted storage class."""

    def __init__(self, scope: Construct, id_: str, args: StorageArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        volumes = onprem_settings(args.deployment).volumes
        for name in VOLUMES:
            self._claim(name, getattr(volumes, f"{name}_gib"), shared=volumes.shared)

    def _claim(self, name: str, size: int, *, shared: bool) -> None:
        PersistentVolumeClaimV1(
            self,
            name,
            metadata=PersistentVolumeClaimV1Metadata(**self._args.namespace.metadata(name)),
            spec=PersistentVolumeClaimV1Spec(
                access_modes=["ReadWriteMany" if shared else "ReadWriteOnce"],
                storage_class_name=onprem_settings(self._args.deployment).storage_class,
                resources=PersistentVolumeClaimV1SpecResources(requests={"storage": gib(size)}),
            ),
            # Many storage classes make the volume with the first pod: an apply would wait for ever.
            wait_until_bound=False,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=self._args.deployment.protect),
        )
