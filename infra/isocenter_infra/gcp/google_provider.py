"""The provider, which both stacks configure alike."""

from cdktn_provider_google.provider import GoogleProvider
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.names import GcpNames


def add_provider(stack: Construct, deployment: Deployment, names: GcpNames) -> None:
    """Give ``stack`` its provider: labels on whatever has labels, quota of this project."""
    GoogleProvider(
        stack,
        "google",
        project=names.project,
        region=names.region,
        default_labels=deployment.labels,
        user_project_override=True,
        billing_project=names.project,
    )
