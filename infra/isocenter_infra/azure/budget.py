"""When a resource group's spending raises an alarm."""

from cdktn import TerraformResourceLifecycle
from cdktn_provider_azurerm.consumption_budget_resource_group import (
    ConsumptionBudgetResourceGroup,
    ConsumptionBudgetResourceGroupNotification,
    ConsumptionBudgetResourceGroupTimePeriod,
)
from constructs import Construct

from isocenter_infra.deployment import Deployment

# The first of the month in which the budget is made: Azure refuses an earlier one.
_THIS_MONTH = "${formatdate(\"YYYY-MM-01'T'00:00:00Z\", plantimestamp())}"


def watch_spending(scope: Construct, deployment: Deployment, group: str) -> None:
    """Tell the deployment's owner of spending in the resource group with the id ``group``."""
    ConsumptionBudgetResourceGroup(
        scope,
        "budget",
        name=deployment.name,
        resource_group_id=group,
        amount=deployment.budget.monthly,
        time_grain="Monthly",
        time_period=ConsumptionBudgetResourceGroupTimePeriod(start_date=_THIS_MONTH),
        notification=[
            ConsumptionBudgetResourceGroupNotification(
                enabled=True,
                operator="GreaterThanOrEqualTo",
                threshold=percent,
                threshold_type="Actual",
                contact_emails=[deployment.settings.owner],
            )
            for percent in deployment.budget.alert_percent
        ],
        lifecycle=TerraformResourceLifecycle(ignore_changes=["time_period"]),
    )
