"""What every concern of a stack is told about the deployment it belongs to."""

from dataclasses import dataclass

from isocenter.targets.settings import BudgetSettings, DeploymentSettings, GithubSettings


@dataclass(frozen=True)
class Deployment:
    """One deployment on its way to resources.

    Args:
        settings: what its owner decided.
        protect: data, keys and audit logs can't be destroyed; false only for a forced destroy.
        remote_state: Terraform's state lies in the deployment's state bucket; false while that is made.
    """

    settings: DeploymentSettings
    protect: bool = True
    remote_state: bool = True

    @property
    def name(self) -> str:
        """Name of the deployment; starts the name of every resource."""
        return self.settings.name

    @property
    def labels(self) -> dict[str, str]:
        """Tags or labels of every resource."""
        return self.settings.labels

    @property
    def audit_days(self) -> int:
        """Days that audit logs are kept, leap days counted."""
        return self.settings.retention.audit_years * 366

    @property
    def budget(self) -> BudgetSettings:
        """When spending raises an alarm; every cloud's settings have it."""
        assert self.settings.budget is not None  # noqa: S101 - the settings' validator saw to it
        return self.settings.budget

    @property
    def github(self) -> GithubSettings:
        """Whose workflows may plan and deploy; every cloud's settings have it."""
        assert self.settings.github is not None  # noqa: S101 - the settings' validator saw to it
        return self.settings.github
