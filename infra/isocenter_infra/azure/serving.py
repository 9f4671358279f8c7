"""What the endpoints need that the platform layer deploys and scales: rights, and at which load."""

from dataclasses import dataclass
from typing import Any

from cdktn_provider_azurerm.machine_learning_workspace import MachineLearningWorkspace
from constructs import Construct

from isocenter_infra.azure.bucket import Bucket
from isocenter_infra.azure.grant import grant
from isocenter_infra.azure.identity import Identity
from isocenter_infra.azure.place import Place

_BUSY_PERCENT, _IDLE_PERCENT = 70, 30


@dataclass(frozen=True)
class ServingArgs:
    """What the serving needs to know.

    Args:
        place: where endpoints lie.
        identity: that they run as, and that scales them.
        workspace: that they belong to.
        bucket: the workspace's own, which holds their images' configuration.
    """

    place: Place
    identity: Identity
    workspace: MachineLearningWorkspace
    bucket: Bucket


class Serving(Construct):
    """Rights of the endpoints' identity and of the pipeline that scales them, by ``autoscale``."""

    def __init__(self, scope: Construct, id_: str, args: ServingArgs) -> None:
        super().__init__(scope, id_)
        serving, pipeline = (args.identity.users[name] for name in ("serving", "pipeline"))
        grant(self, "metrics", serving, "AzureML Metrics Writer (preview)", args.workspace.id)
        grant(self, "store", serving, "Storage Blob Data Reader", args.bucket.account.id)
        grant(self, "scale", pipeline, args.identity.roles["scaler"], args.place.group.id)

    @property
    def autoscale(self) -> dict[str, Any]:
        """What the platform layer writes into Azure Monitor's autoscale setting of each deployment.

        An Azure ML deployment is not Terraform's, and no setting can be made for one that isn't there yet.
        Bounds are the same for every cloud: the descriptor's ``endpoint_bounds``.
        """
        return {
            "metric": "CpuUtilizationPercentage",
            "out_above": _BUSY_PERCENT,
            "in_below": _IDLE_PERCENT,
        }
