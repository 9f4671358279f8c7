"""The development issuer: tokens for endpoints on this machine, where no identity provider is."""

from isocenter.issuer.signing_keys import IssuerKeys, open_issuer_keys
from isocenter.issuer.token import Grant, issue_token

__all__ = ["Grant", "IssuerKeys", "issue_token", "open_issuer_keys"]
