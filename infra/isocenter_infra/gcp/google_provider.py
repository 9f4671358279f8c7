"""The provider, which both stacks configure alike."""

from cdktn_provider_google.provider import GoogleProvider
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.names import GcpNames


def add_provider(stack: Construct, deployment: Deployment, names: GcpNames) -> None:
    """Give ``stack`` its provider: labels on whatever has labels, quota of this project."""
    provider = GoogleProvider(
        stack,
        "google",
        project=names.project,
        region=names.region,
        user_project_override=True,
        billing_project=names.project,
    )
    # As an argument their dashes would become underscores, which each provider's block has in its names.
    provider.add_override("default_labels", deployment.labels)
