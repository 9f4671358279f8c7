"""Container images: encrypted, immutable tags, scanned, signed."""

import json
from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_aws.ecr_lifecycle_policy import EcrLifecyclePolicy
from cdktn_provider_aws.ecr_registry_scanning_configuration import (
    EcrRegistryScanningConfiguration,
    EcrRegistryScanningConfigurationRule,
    EcrRegistryScanningConfigurationRuleRepositoryFilter,
)
from cdktn_provider_aws.ecr_repository import (
    EcrRepository,
    EcrRepositoryEncryptionConfiguration,
    EcrRepositoryImageScanningConfiguration,
)
from cdktn_provider_aws.ecr_repository_policy import EcrRepositoryPolicy
from cdktn_provider_aws.signer_signing_profile import (
    SignerSigningProfile,
    SignerSigningProfileSignatureValidityPeriod,
)
from constructs import Construct

from isocenter_infra.aws.keys import Keys
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.policy_document import Statement, policy_document
from isocenter_infra.deployment import Deployment

IMAGES = ("training", "serving")
_PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
_SIGNATURE_MONTHS = 135


@dataclass(frozen=True)
class RegistryArgs:
    """What the registry needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        keys: that encrypt it.
    """

    deployment: Deployment
    names: AwsNames
    keys: Keys


class Registry(Construct):
    """One repository an image, and the profile that signs."""

    def __init__(self, scope: Construct, id_: str, args: RegistryArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.host = f"{args.names.account}.dkr.ecr.{args.names.region}.amazonaws.com/{args.names.prefix}"
        for image in IMAGES:
            self._repository(image)
        EcrRegistryScanningConfiguration(
            self,
            "scanning",
            scan_type="ENHANCED",
            rule=[
                EcrRegistryScanningConfigurationRule(
                    scan_frequency="CONTINUOUS_SCAN",
                    repository_filter=[
                        EcrRegistryScanningConfigurationRuleRepositoryFilter(
                            filter=f"{args.names.prefix}/*", filter_type="WILDCARD"
                        )
                    ],
                )
            ],
        )
        self.signing = SignerSigningProfile(
            self,
            "signing",
            name=f"{args.names.prefix}-images".replace("-", "_"),
            platform_id="Notation-OCI-SHA384-ECDSA",
            signature_validity_period=SignerSigningProfileSignatureValidityPeriod(
                type="MONTHS", value=_SIGNATURE_MONTHS
            ),
        )

    def _repository(self, image: str) -> None:
        args = self._args
        repository = EcrRepository(
            self,
            image,
            name=f"{args.names.prefix}/{image}",
            image_tag_mutability="IMMUTABLE",
            encryption_configuration=[
                EcrRepositoryEncryptionConfiguration(encryption_type="KMS", kms_key=args.keys.registry.arn)
            ],
            image_scanning_configuration=EcrRepositoryImageScanningConfiguration(scan_on_push=True),
            force_delete=not args.deployment.protect,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
        )
        pull = Statement(
            "Pull",
            _PULL,
            principals={"AWS": [args.names.root]},
            condition={"ArnEquals": {"aws:PrincipalArn": [args.names.role_arn(role) for role in IMAGES]}},
        )
        EcrRepositoryPolicy(self, f"{image}-policy", repository=repository.name, policy=policy_document(pull))
        EcrLifecyclePolicy(self, f"{image}-lifecycle", repository=repository.name, policy=_untagged())


def _untagged() -> str:
    rule = {
        "rulePriority": 1,
        "description": "Untagged images go after two weeks; what a model was made with is tagged and stays.",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": 14,
        },
        "action": {"type": "expire"},
    }
    return json.dumps({"rules": [rule]}, sort_keys=True)
