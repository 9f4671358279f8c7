"""What nobody may configure in the project, whatever their role; and a notice of every change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cdktn_provider_google.cloud_asset_project_feed import (
    CloudAssetProjectFeed,
    CloudAssetProjectFeedFeedOutputConfig,
    CloudAssetProjectFeedFeedOutputConfigPubsubDestination,
)
from cdktn_provider_google.org_policy_policy import (
    OrgPolicyPolicy,
    OrgPolicyPolicySpec,
    OrgPolicyPolicySpecRules,
    OrgPolicyPolicySpecRulesValues,
)
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.keys import Keys
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.protection import protected
from isocenter_infra.gcp.topic import Topic, TopicArgs

GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
_TRUE = "TRUE"
# https://cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints
_ENFORCED = (
    "compute.skipDefaultNetworkCreation",
    "compute.requireShieldedVm",
    "compute.requireOsLogin",
    "compute.disableSerialPortAccess",
    "compute.disableInternetNetworkEndpointGroup",
    "compute.disableVpcExternalIpv6",
    "storage.uniformBucketLevelAccess",
    "storage.publicAccessPrevention",
    "storage.secureHttpTransport",
    "gcp.detailedAuditLoggingMode",
    "iam.disableServiceAccountKeyCreation",
    "iam.disableServiceAccountKeyUpload",
    "iam.automaticIamGrantsForDefaultServiceAccounts",
    "ainotebooks.restrictPublicIp",
    "ainotebooks.disableFileDownloads",
)
_DENIED = ("compute.vmExternalIpAccess", "compute.restrictCloudNATUsage")
_NO_VALUE: Mapping[str, Sequence[str]] = {
    "gcp.restrictTLSVersion": ["TLS_VERSION_1", "TLS_VERSION_1_1"],
    "storage.restrictAuthTypes": ["in:ALL_HMAC_SIGNED_REQUESTS"],
    # These services refuse what would be encrypted under a key of Google's own.
    "gcp.restrictNonCmekServices": [
        f"{service}.googleapis.com"
        for service in (
            *("aiplatform", "artifactregistry", "compute", "container", "logging", "notebooks"),
            *("pubsub", "secretmanager", "storage"),
        )
    ],
}
_WATCHED = (
    "artifactregistry.googleapis.com/Repository",
    "cloudkms.googleapis.com/CryptoKey",
    "cloudresourcemanager.googleapis.com/Project",
    "compute.googleapis.com/Firewall",
    "compute.googleapis.com/Network",
    "compute.googleapis.com/Route",
    "compute.googleapis.com/Subnetwork",
    "container.googleapis.com/Cluster",
    "iam.googleapis.com/Role",
    "iam.googleapis.com/ServiceAccount",
    "logging.googleapis.com/LogBucket",
    "logging.googleapis.com/LogSink",
    "secretmanager.googleapis.com/Secret",
    "storage.googleapis.com/Bucket",
)


@dataclass(frozen=True)
class PostureArgs:
    """What the posture needs to know: the deployment, its names, and the key of the notices."""

    deployment: Deployment
    names: GcpNames
    keys: Keys


class Posture(Construct):
    """Organisation policies on the project, and a feed of changed resources."""

    def __init__(self, scope: Construct, id_: str, args: PostureArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        for constraint in _ENFORCED:
            self._policy(constraint, OrgPolicyPolicySpecRules(enforce=_TRUE))
        for constraint in _DENIED:
            self._policy(constraint, OrgPolicyPolicySpecRules(deny_all=_TRUE))
        for constraint, denied in _NO_VALUE.items():
            values = OrgPolicyPolicySpecRulesValues(denied_values=list(denied))
            self._policy(constraint, OrgPolicyPolicySpecRules(values=values))
        for constraint, allowed in self._only().items():
            values = OrgPolicyPolicySpecRulesValues(allowed_values=list(allowed))
            self._policy(constraint, OrgPolicyPolicySpecRules(values=values))
        self._feed()

    def _only(self) -> Mapping[str, Sequence[str]]:
        """Constraints that allow these values and no other."""
        names = self._args.names
        places = [f"in:{region}-locations" for region in (names.region, names.replica_region)]
        return {
            "gcp.resourceLocations": places,
            "gcp.restrictCmekCryptoKeyProjects": [f"projects/{names.project}"],
            "compute.restrictLoadBalancerCreationForTypes": ["in:INTERNAL"],
            "iam.workloadIdentityPoolProviders": [GITHUB_ISSUER],
        }

    def _policy(self, constraint: str, rule: OrgPolicyPolicySpecRules) -> None:
        parent = self._args.names.project_path
        OrgPolicyPolicy(
            self,
            constraint.replace(".", "-"),
            name=f"{parent}/policies/{constraint}",
            parent=parent,
            spec=OrgPolicyPolicySpec(inherit_from_parent=False, rules=[rule]),
            **protected(self._args.deployment),
        )

    def _feed(self) -> None:
        names = self._args.names
        publishers = [names.agent("asset")]
        changes = Topic(self, "changes", TopicArgs(names, "changes", self._args.keys.audit, publishers))
        CloudAssetProjectFeed(
            self,
            "feed",
            project=names.project,
            billing_project=names.project,
            feed_id=f"{names.prefix}-changes",
            content_type="RESOURCE",
            asset_types=list(_WATCHED),
            feed_output_config=CloudAssetProjectFeedFeedOutputConfig(
                pubsub_destination=CloudAssetProjectFeedFeedOutputConfigPubsubDestination(
                    topic=changes.topic.id
                )
            ),
            depends_on=changes.ready,
        )
