"""The policy scan of synthesized Terraform JSON: ``python -m isocenter_policies scan FILE...``."""
