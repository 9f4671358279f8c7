"""A federated credential is tied to one exact subject."""

from isocenter_policies.rule import Body, Rule


class OidcSubject(Rule):
    id = "ISO_AZURE_034"
    severity = "critical"
    title = "A federated credential is tied to one exact subject"
    why = (
        "With a wildcard in the subject, a workflow of another branch, repository or owner gets the identity."
    )
    fix = "Set issuer, subject and the audience api://AzureADTokenExchange, without * or ?."
    control = 22
    kinds = ("azurerm_federated_identity_credential",)

    def holds(self, body: Body) -> bool | None:
        subject = body.text("subject")
        exact = bool(subject) and "*" not in subject and "?" not in subject
        return exact and body.texts("audience") == ["api://AzureADTokenExchange"] and bool(body.get("issuer"))


CHECK = OidcSubject()
