"""The rules for jobs, in the order of their ids. A rule that isn't listed here doesn't count."""

from isocenter.policy.rule import Rule
from isocenter.policy.rules import (
    checkpoints,
    customer_key,
    egress_closed,
    image_by_digest,
    labels,
    no_secrets,
    no_shell,
    own_buckets,
    own_place,
    pod_isolated,
    pod_limits,
    pod_non_root,
    pod_seccomp,
    pod_token,
    private_network,
    service_identity,
    time_limit,
    traffic_encrypted,
)

RULES: tuple[Rule, ...] = (
    image_by_digest.RULE,
    customer_key.RULE,
    private_network.RULE,
    egress_closed.RULE,
    no_shell.RULE,
    service_identity.RULE,
    time_limit.RULE,
    labels.RULE,
    traffic_encrypted.RULE,
    own_buckets.RULE,
    own_place.RULE,
    checkpoints.RULE,
    no_secrets.RULE,
    pod_isolated.RULE,
    pod_non_root.RULE,
    pod_seccomp.RULE,
    pod_limits.RULE,
    pod_token.RULE,
)
