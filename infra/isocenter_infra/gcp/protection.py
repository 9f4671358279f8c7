"""What keeps data, keys and audit logs from deletion: by Terraform, and by the provider."""

from typing import Any

from cdktn import TerraformResourceLifecycle

from isocenter_infra.deployment import Deployment


def protected(deployment: Deployment) -> dict[str, Any]:
    """Arguments of a resource that must outlive a mistake.

    ``prevent_destroy`` stops a plan that would destroy it, ``deletion_policy`` the provider itself, also
    where the resource has gone from the code.
    """
    return {
        "lifecycle": TerraformResourceLifecycle(prevent_destroy=deployment.protect),
        "deletion_policy": "PREVENT" if deployment.protect else "DELETE",
    }
