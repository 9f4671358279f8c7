"""Mirrors: a target's own model registry, kept like ours. Ours is the record; a mirror is a copy."""
