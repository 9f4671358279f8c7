"""Quotas of GPUs in Vertex AI: a new project has none."""

from collections import Counter
from dataclasses import dataclass

from cdktn_provider_google.cloud_quotas_quota_preference import (
    CloudQuotasQuotaPreference,
    CloudQuotasQuotaPreferenceQuotaConfig,
)
from cdktn_provider_google.data_google_cloud_quotas_quota_infos import DataGoogleCloudQuotasQuotaInfos
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.gpu import machine_of, smallest
from isocenter_infra.gcp.names import GcpNames

_SERVICE = "aiplatform.googleapis.com"


@dataclass(frozen=True)
class QuotasArgs:
    """What the quotas need to know: the deployment and its names."""

    deployment: Deployment
    names: GcpNames


class Quotas(Construct):
    """A request for each quota that the settings need, for as many GPUs as can be in use at once."""

    def __init__(self, scope: Construct, id_: str, args: QuotasArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        settings = args.deployment.settings
        self._infos = DataGoogleCloudQuotasQuotaInfos(
            self, "known", parent=f"projects/{args.names.number}", service=_SERVICE
        )
        wanted: Counter[str] = Counter()
        for gpu in settings.compute.gpu:
            kind = "preemptible_" if gpu.spot else ""
            wanted[f"custom_model_training_{kind}{machine_of(gpu).family}"] += gpu.max_nodes * gpu.per_node
        for endpoint in settings.endpoints:
            machine = smallest(settings.compute.gpu[0])
            wanted[f"custom_model_serving_{machine.family}"] += endpoint.max_instances * machine.gpus
        for metric, gpus in wanted.items():
            self._quota(metric, gpus)

    def _quota(self, metric: str, wanted: int) -> None:
        names, name = self._args.names, metric.removeprefix("custom_model_").replace("_", "-")
        CloudQuotasQuotaPreference(
            self,
            name,
            parent=f"projects/{names.number}",
            name=f"{names.prefix}-{name}",
            service=_SERVICE,
            quota_id=self._id_of(metric),
            dimensions={"region": names.region},
            quota_config=CloudQuotasQuotaPreferenceQuotaConfig(preferred_value=str(wanted)),
            contact_email=self._args.deployment.settings.owner,
            justification="Training and serving of medical imaging models",
        )

    def _id_of(self, metric: str) -> str:
        """The quota's id, looked up by its metric, whose name is documented."""
        infos = f"data.{self._infos.terraform_resource_type}.{self._infos.friendly_unique_id}.quota_infos"
        return f'${{[for q in {infos} : q.quota_id if q.metric == "{_SERVICE}/{metric}"][0]}}'
