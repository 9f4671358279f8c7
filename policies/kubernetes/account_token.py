"""A service account's token is mounted only where it is asked for."""

from isocenter_policies.rule import Body, Rule


class AccountToken(Rule):
    id = "ISO_K8S_008"
    severity = "medium"
    title = "A service account's token is mounted only where it is asked for"
    why = "A token in each container is a key to the API in each container."
    fix = "Set automount_service_account_token to false."
    control = 21
    kinds = (
        "kubernetes_service_account",
        "kubernetes_service_account_v1",
        "kubernetes_default_service_account",
        "kubernetes_default_service_account_v1",
    )

    def holds(self, body: Body) -> bool | None:
        return body.get("automount_service_account_token") is False


CHECK = AccountToken()
