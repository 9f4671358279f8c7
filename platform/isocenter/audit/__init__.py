"""The audit trail: who did what, chained, signed, never edited."""

from isocenter.audit.actor import current_actor
from isocenter.audit.findings import Fault, Problem, VerifyResult
from isocenter.audit.signed_head import SignedHead
from isocenter.audit.trail import AuditTrail

__all__ = ["AuditTrail", "Fault", "Problem", "SignedHead", "VerifyResult", "current_actor"]
