"""Guards: alarms, threat detection, posture, a budget, and locks against deletion."""

from collections.abc import Mapping
from dataclasses import dataclass

from cdktn_provider_azurerm.management_lock import ManagementLock
from cdktn_provider_azurerm.monitor_action_group import (
    MonitorActionGroup,
    MonitorActionGroupEmailReceiver,
)
from cdktn_provider_azurerm.monitor_scheduled_query_rules_alert_v2 import (
    MonitorScheduledQueryRulesAlertV2,
    MonitorScheduledQueryRulesAlertV2Action,
    MonitorScheduledQueryRulesAlertV2Criteria,
)
from constructs import Construct

from isocenter_infra.azure.alarms import ALARMS, break_glass_query
from isocenter_infra.azure.audit import Audit
from isocenter_infra.azure.budget import watch_spending
from isocenter_infra.azure.identity import Identity
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.place import Place
from isocenter_infra.azure.posture import Posture, PostureArgs
from isocenter_infra.deployment import Deployment

_SHORT_NAME = "isocenter"
_URGENT, _SOON = 0, 1


@dataclass(frozen=True)
class GuardArgs:
    """What the guards need to know.

    Args:
        deployment: they belong to.
        names: of the deployment.
        place: where they lie.
        replica: the second place that they look after.
        audit: whose logs the alarms ask.
        identity: whose break-glass identity must not be used unseen.
        precious: ids of what must not be deleted, by name.
    """

    deployment: Deployment
    names: AzureNames
    place: Place
    replica: Place
    audit: Audit
    identity: Identity
    precious: Mapping[str, str]


class Guard(Construct):
    """Who is told, what raises an alarm, Defender and policies, the budget, the locks."""

    def __init__(self, scope: Construct, id_: str, args: GuardArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        contact = args.deployment.settings.security_contact
        self._told = self._receivers(contact)
        for name, query in ALARMS.items():
            self._alarm(name, query, _SOON)
        break_glass = args.identity.users["break-glass"].principal_id
        self._alarm("break-glass", break_glass_query(break_glass), _URGENT)
        Posture(self, "posture", PostureArgs(args.names, (args.place, args.replica), contact))
        watch_spending(self, args.deployment, args.place.group.id)
        if args.deployment.protect:
            self._lock()

    def _receivers(self, contact: str) -> MonitorActionGroup:
        return MonitorActionGroup(
            self,
            "told",
            name=self._args.names.of_purpose("security"),
            short_name=_SHORT_NAME,
            enabled=True,
            email_receiver=[
                MonitorActionGroupEmailReceiver(
                    name="security", email_address=contact, use_common_alert_schema=True
                )
            ],
            tags=self._args.place.tags,
            **self._args.place.within,
        )

    def _alarm(self, name: str, query: str, severity: int) -> None:
        args = self._args
        MonitorScheduledQueryRulesAlertV2(
            self,
            name,
            name=args.names.of_purpose(name),
            scopes=[args.audit.workspace.id],
            severity=severity,
            evaluation_frequency="PT5M",
            window_duration="PT10M",
            criteria=[
                MonitorScheduledQueryRulesAlertV2Criteria(
                    query=query, time_aggregation_method="Count", operator="GreaterThan", threshold=0
                )
            ],
            action=MonitorScheduledQueryRulesAlertV2Action(action_groups=[self._told.id]),
            enabled=True,
            auto_mitigation_enabled=False,
            # A table is there only once something was logged into it.
            skip_query_validation=True,
            **args.place.here,
        )

    def _lock(self) -> None:
        for name, precious in self._args.precious.items():
            ManagementLock(
                self,
                f"{name}-lock",
                name="isocenter",
                scope=precious,
                lock_level="CanNotDelete",
                notes="Data, keys and audit logs are not deleted; see Isocenter's make destroy.",
            )
