"""The way a change goes: synthesized, checked, planned, looked at, applied; and what comes after."""
