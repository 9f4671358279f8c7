"""The stack of one deployment on AWS: its concerns, wired."""

from cdktn import TerraformStack
from cdktn_provider_aws.provider import AwsProvider, AwsProviderDefaultTags
from constructs import Construct

from isocenter_infra.aws.keys import Keys, KeysArgs
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.state import keep_state
from isocenter_infra.aws.storage import Storage, StorageArgs
from isocenter_infra.deployment import Deployment


class AwsStack(TerraformStack):
    """Everything that one deployment provisions on AWS."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(scope, deployment.name)
        names = AwsNames.of(deployment)
        tags = [AwsProviderDefaultTags(tags=deployment.labels)]
        accounts = [names.account]
        AwsProvider(self, "aws", region=names.region, default_tags=tags, allowed_account_ids=accounts)
        replica = AwsProvider(
            self,
            "aws-replica",
            alias="replica",
            region=names.replica_region,
            default_tags=tags,
            allowed_account_ids=accounts,
        )
        keys = Keys(self, "keys", KeysArgs(deployment, names, replica))
        Storage(self, "storage", StorageArgs(deployment, names, keys, replica))
        keep_state(self, deployment)
