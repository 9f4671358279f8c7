"""Options of the verbs that change endpoints: gates, sizes, and how nothing is done."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from isocenter.rollouts.gates import Gates

_Function = TypeVar("_Function", bound=Callable[..., Any])
_SHARE = click.FloatRange(0, 1)
_INSTANCES = click.IntRange(1, 100)
"""A slip of the keyboard must not rent a data centre."""

reason_option = click.option("--reason", default="", help="Why; kept in the history and the audit trail.")
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print the very request that would be sent, and do nothing."
)
_GATES = (
    click.option("--max-error-rate", type=_SHARE, help="Gate: share of requests that may fail."),
    click.option("--max-p99", type=click.FloatRange(0), help="Gate: 99th percentile of latency in seconds."),
    click.option("--max-abstention", type=_SHARE, help="Gate: share of requests without a decision."),
    click.option(
        "--max-score-shift",
        type=_SHARE,
        help="Gate: mean difference from the old version's scores on the same requests.",
    ),
    click.option(
        "--min-requests", type=click.IntRange(1), help="Requests that the gates need.  [default: 50]"
    ),
    click.option("--watch", help="How long the gates must hold, e.g. 10m.  [default: 1m]"),
    click.option("--wait", help="How long to wait for the requests, e.g. 6h.  [default: 1h]"),
    click.option("--promote", is_flag=True, help="Give it all of the traffic when the gates hold."),
)
_SIZES = (
    click.option("--cpus", type=click.IntRange(1), help="Cores of an instance; a worker each."),
    click.option("--memory", "memory_gib", type=click.IntRange(1), help="GiB of an instance."),
    click.option("--gpu", help="GPU of an instance: l4, a10, a100-40, a100-80 or h100."),
    click.option(
        "--min-instances",
        type=_INSTANCES,
        help="Instances at least.  [default: the deployment's, or 1]",
    ),
    click.option(
        "--max-instances",
        type=_INSTANCES,
        help="Instances at most.  [default: the deployment's, or 1]",
    ),
    click.option(
        "--capture", type=click.IntRange(0, 100), help="Percent of requests whose features are kept."
    ),
    click.option("--image", help="Serving image by digest; not on the target local."),
)


def gate_options(function: _Function) -> _Function:
    """The options of gates."""
    for option in reversed(_GATES):
        function = option(function)
    return function


def size_options(function: _Function) -> _Function:
    """The options of instances."""
    for option in reversed(_SIZES):
        function = option(function)
    return function


def build_gates(options: Mapping[str, Any]) -> "Gates | None":
    """The gates that were asked for; None if there are none.

    Raises:
        InputError: a time is none.
    """
    from isocenter.domain.compute_words import parse_duration
    from isocenter.rollouts.gates import Gates

    names = {
        "max_error_rate": "error_rate",
        "max_p99": "p99_s",
        "max_abstention": "abstention_rate",
        "max_score_shift": "score_shift",
        "min_requests": "min_requests",
    }
    asked = {field: options[name] for name, field in names.items() if options[name] is not None}
    for name, field in (("watch", "watch_s"), ("wait", "wait_s")):
        if options[name]:
            asked[field] = float(parse_duration(options[name]))
    return Gates(**asked) if asked or options["promote"] else None


def build_changes(options: Mapping[str, Any], before: Any) -> dict[str, Any]:
    """Fields of the Rollout that the options change.

    Args:
        options: by their names.
        before: the Rollout that is changed, or one of defaults.
    """
    from dataclasses import replace

    sizes = {name: options[name] for name in ("cpus", "memory_gib", "gpu") if options[name] is not None}
    bounds = {n: options[n] for n in ("min_instances", "max_instances") if options[n] is not None}
    if "min_instances" in bounds:
        bounds.setdefault("max_instances", max(bounds["min_instances"], before.scaling.max_instances))
    changes: dict[str, Any] = {}
    if sizes:
        changes["size"] = replace(before.size, **sizes)
    if bounds:
        changes["scaling"] = replace(before.scaling, **bounds)
    if options["capture"] is not None:
        changes["capture"] = replace(before.capture, percent=options["capture"])
    if options["image"]:
        changes["image"] = options["image"]
    return changes
