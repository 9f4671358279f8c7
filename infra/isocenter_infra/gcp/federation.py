"""GitHub's workflows become service accounts, by tokens that GitHub signs; no key is stored anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass

from cdktn_provider_google.iam_workload_identity_pool import IamWorkloadIdentityPool
from cdktn_provider_google.iam_workload_identity_pool_provider import (
    IamWorkloadIdentityPoolProvider,
    IamWorkloadIdentityPoolProviderOidc,
)
from cdktn_provider_google.service_account import ServiceAccount
from cdktn_provider_google.service_account_iam_member import ServiceAccountIamMember
from constructs import Construct

from isocenter.targets.settings import GithubSettings
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.posture import GITHUB_ISSUER

_PROVIDER = "github"


@dataclass(frozen=True)
class FederationArgs:
    """What it needs to know: names, repository and environment, and the accounts by role."""

    names: GcpNames
    github: GithubSettings
    accounts: Mapping[str, ServiceAccount]


class Federation(Construct):
    """The pool, GitHub as its only provider, and one exact subject an account."""

    def __init__(self, scope: Construct, id_: str, args: FederationArgs) -> None:
        super().__init__(scope, id_)
        names, repository = args.names, args.github.repository
        pool_id = f"{names.prefix}-github"
        place = f"projects/{names.number}/locations/global/workloadIdentityPools/{pool_id}"
        subjects = {
            "ci-plan": f"repo:{repository}:pull_request",
            "ci-deploy": f"repo:{repository}:environment:{args.github.environment}",
        }
        pool = IamWorkloadIdentityPool(
            self, "pool", project=names.project, workload_identity_pool_id=pool_id, disabled=False
        )
        IamWorkloadIdentityPoolProvider(
            self,
            "provider",
            project=names.project,
            workload_identity_pool_id=pool.workload_identity_pool_id,
            workload_identity_pool_provider_id=_PROVIDER,
            attribute_mapping={
                "google.subject": "assertion.sub",
                "attribute.repository": "assertion.repository",
            },
            attribute_condition=_only(repository, list(subjects.values())),
            oidc=IamWorkloadIdentityPoolProviderOidc(
                issuer_uri=GITHUB_ISSUER,
                allowed_audiences=[f"https://iam.googleapis.com/{place}/providers/{_PROVIDER}"],
            ),
        )
        for role, subject in subjects.items():
            ServiceAccountIamMember(
                self,
                role,
                service_account_id=args.accounts[role].name,
                role="roles/iam.workloadIdentityUser",
                # This one subject; the provider's condition is a second lock, not the only one.
                member=f"principal://iam.googleapis.com/{place}/subject/{subject}",
                depends_on=[pool],
            )


def _only(repository: str, subjects: list[str]) -> str:
    listed = ", ".join(f'"{subject}"' for subject in subjects)
    return f'assertion.repository == "{repository}" && assertion.sub in [{listed}]'
