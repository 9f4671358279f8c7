"""The training pipeline in each service's own format: one neutral spec, one file a format.

Compilers are pure: no network, credentials, clock or disk, and none of the services' SDKs. What they write is
held against the real SDKs in ``tests/compilers/``.
"""
