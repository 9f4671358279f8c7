"""Rules that a Submission keeps before it is sent to a target.

They read what will be sent, need neither network nor credentials, and are the same wherever a request comes
from: ``pipeline run`` refuses one that breaks a rule, ``--dry-run`` shows it, ``run check`` reads it from a
file. What Terraform provisions is held against rules of its own (``policies/``).
"""

from isocenter.policy.check import Finding, Verdict, check, refuse_unless_kept

__all__ = ["Finding", "Verdict", "check", "refuse_unless_kept"]
