"""How an endpoint knows its callers."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
Front = Literal["sagemaker", "vertex", "azureml"]

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class AccessSettings(BaseModel):
    """Either a token's issuer and audience, or the name of the service whose own access stands in front.

    Attributes:
        fronted: the service that has checked each caller before the container sees the request.
        issuer: whose tokens are taken; must equal their ``iss``.
        audience: must be in their ``aud``.
        jwks_uri: where the issuer's keys are; empty: as the issuer's OpenID configuration says.
        jwks_file: a file of keys instead.
        algorithms: of signatures that are taken. HMAC and ``none`` can't be asked for.
        scope_prefix: what the issuer writes before our scopes, e.g. ``isocenter.``.
        leeway_s: seconds that clocks may differ.
        keys_for_s: keys are fetched again after this time.
        keys_outlive_s: how much longer they serve while the issuer can't be reached.
        refetch_after_s: an unknown key id leads to at most one fetch in this time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fronted: Front | None = None
    issuer: str = ""
    audience: str = ""
    jwks_uri: str = ""
    jwks_file: Path | None = None
    algorithms: tuple[Algorithm, ...] = Field(default=("RS256", "ES256"), min_length=1)
    scope_prefix: str = ""
    leeway_s: int = Field(default=30, ge=0, le=300)
    keys_for_s: float = Field(default=600, ge=1, le=86_400)
    keys_outlive_s: float = Field(default=3600, ge=0, le=86_400)
    refetch_after_s: float = Field(default=30, ge=0.1, le=3600)

    @model_validator(mode="after")
    def _is_closed(self) -> Self:
        if self.fronted:
            if self.issuer or self.audience or self.jwks_uri or self.jwks_file:
                raise ValueError("either 'fronted' or an issuer of tokens, not both")
            return self
        if not self.issuer or not self.audience:
            raise ValueError("say whose tokens are taken ('issuer' and 'audience'), or 'fronted'")
        if self.jwks_file is None:
            for address in filter(None, (self.jwks_uri, "" if self.jwks_uri else self.issuer)):
                require_tls(address)
        return self


def require_tls(address: str) -> None:
    """Raise ValueError unless keys from ``address`` can't be changed on their way."""
    parts = urlsplit(address)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return
    raise ValueError("the issuer's keys must come over https://")
