"""Retention is never shortened."""

from typing import Any

import pytest

from isocenter.errors import PolicyError
from isocenter_infra.change.retention_guard import refuse_shorter_retention


def plan(kind: str, before: Any, after: Any, *actions: str) -> dict[str, Any]:
    change = {"actions": list(actions or ("update",)), "before": before, "after": after}
    return {"resource_changes": [{"address": f"{kind}.x", "type": kind, "name": "x", "change": change}]}


def object_lock(**retention: object) -> dict[str, Any]:
    return {"bucket": "b", "rule": [{"default_retention": [{"mode": "COMPLIANCE"} | retention]}]}


def policy(seconds: int, *, locked: bool) -> dict[str, Any]:
    return {"retention_policy": [{"retention_period": str(seconds), "is_locked": locked}]}


LOCK = "aws_s3_bucket_object_lock_configuration"
IMMUTABLE = "azurerm_storage_container_immutability_policy"
SHORTER = [
    (
        LOCK,
        object_lock(years=8, days=0),
        object_lock(years=7, days=0),
        "rule[0].default_retention 8 years → 7 years",
    ),
    (
        LOCK,
        object_lock(days=2922),
        object_lock(days=2557),
        "rule[0].default_retention 2922 days → 2557 days",
    ),
    (LOCK, object_lock(years=7), object_lock(days=365), "7 years → 365 days"),
    (LOCK, object_lock(years=7), {"bucket": "b", "rule": []}, "rule[0].default_retention 7 years → none"),
    (LOCK, object_lock(years=7), object_lock(years=7, mode="GOVERNANCE"), "COMPLIANCE → GOVERNANCE"),
    (
        "google_storage_bucket",
        policy(200, locked=True),
        policy(199, locked=True),
        "retention_policy.retention_period 200 → 199",
    ),
    ("google_storage_bucket", policy(200, locked=True), policy(200, locked=False), "is_locked true → false"),
    (
        "google_storage_bucket",
        policy(200, locked=True),
        {"retention_policy": []},
        "retention_period 200 → none",
    ),
    (
        "google_logging_project_bucket_config",
        {"retention_days": 2562, "locked": True},
        {"retention_days": 365, "locked": True},
        "retention_days 2562 → 365",
    ),
    (
        IMMUTABLE,
        {"immutability_period_in_days": 2562, "locked": True},
        {"immutability_period_in_days": 2196, "locked": True},
        "immutability_period_in_days 2562 → 2196",
    ),
    (
        "azurerm_x",
        {"immutability_period_since_creation_in_days": 9},
        {"immutability_period_since_creation_in_days": 8},
        "9 → 8",
    ),
    (
        "azurerm_network_watcher_flow_log",
        {"retention_policy": [{"enabled": True, "days": 0}]},
        {"retention_policy": [{"enabled": True, "days": 90}]},
        "retention_policy.days for ever → 90",
    ),
    (
        "aws_cloudwatch_log_group",
        {"retention_in_days": 2922},
        {"retention_in_days": 2557},
        "retention_in_days 2922 → 2557",
    ),
    ("aws_cloudwatch_log_group", {"retention_in_days": 0}, {"retention_in_days": 3653}, "for ever → 3653"),
    ("aws_backup_vault_lock_configuration", {"min_retention_days": 35}, {"min_retention_days": 7}, "35 → 7"),
]


@pytest.mark.parametrize("actions", [("update",), ("delete", "create"), ("create", "delete")])
@pytest.mark.parametrize(("kind", "before", "after", "words"), SHORTER)
def test_a_shorter_retention_is_refused(
    kind: str, before: Any, after: Any, words: str, actions: tuple[str, ...]
) -> None:
    with pytest.raises(PolicyError) as caught:
        refuse_shorter_retention(plan(kind, before, after, *actions))
    assert f"{kind}.x: " in caught.value.message
    assert words in caught.value.message
    assert "retention.audit_years" in caught.value.hint
    # The way back is always open.
    if "none" not in words:
        refuse_shorter_retention(plan(kind, after, before, *actions))


@pytest.mark.parametrize("years", range(6, 11))
def test_years_and_the_days_that_they_have_are_the_same(years: int) -> None:
    from isocenter_infra.aws.audit import LOG_DAYS

    refuse_shorter_retention(plan(LOCK, object_lock(years=years), object_lock(days=LOG_DAYS[years])))
    refuse_shorter_retention(plan(LOCK, object_lock(days=LOG_DAYS[years]), object_lock(years=years)))


@pytest.mark.parametrize(
    ("kind", "before", "after", "actions"),
    [
        ("aws_cloudwatch_log_group", {"retention_in_days": 365}, {"retention_in_days": 0}, ("update",)),
        # Its protection guards it, and with it what it holds.
        ("aws_cloudwatch_log_group", {"retention_in_days": 365}, None, ("delete",)),
        ("aws_cloudwatch_log_group", None, {"retention_in_days": 1}, ("create",)),
        ("aws_s3_bucket", {"bucket": "a"}, {"bucket": "b"}, ("update",)),
        # How long what was overwritten can be recovered: retention.noncurrent_days, which may be lowered.
        (
            "azurerm_storage_account",
            {"blob_properties": [{"delete_retention_policy": [{"days": 90}]}]},
            {"blob_properties": [{"delete_retention_policy": [{"days": 30}]}]},
            ("update",),
        ),
    ],
)
def test_what_shortens_no_retention_passes(
    kind: str, before: Any, after: Any, actions: tuple[str, ...]
) -> None:
    refuse_shorter_retention(plan(kind, before, after, *actions))


@pytest.mark.parametrize("kind", [LOCK, IMMUTABLE])
def test_a_lock_that_is_taken_away_is_refused(kind: str) -> None:
    before = object_lock(years=7) if kind == LOCK else {"immutability_period_in_days": 2562, "locked": True}
    with pytest.raises(PolicyError, match="→ none"):
        refuse_shorter_retention(plan(kind, before, None, "delete"))


def test_only_some_are_named_and_the_rest_counted() -> None:
    one = plan("aws_cloudwatch_log_group", {"retention_in_days": 9}, {"retention_in_days": 8})
    with pytest.raises(PolicyError, match="and 2 more"):
        refuse_shorter_retention({"resource_changes": one["resource_changes"] * 7})


@pytest.mark.parametrize("cloud", ["aws", "gcp", "azure"])
def test_the_stacks_own_retentions_are_known_to_the_guard(stack_of: Any, cloud: str) -> None:
    """Every resource that says how long audit is kept, with one year less, is refused."""
    known = {
        "aws": {LOCK, "aws_cloudwatch_log_group", "aws_backup_vault_lock_configuration"},
        "gcp": {"google_storage_bucket", "google_logging_project_bucket_config"},
        "azure": {IMMUTABLE},
    }[cloud]
    refused = set()
    for kind, named in stack_of(cloud)["resource"].items():
        for body in named.values():
            try:
                refuse_shorter_retention(plan(kind, as_planned(body), as_planned(body, shorter=1)))
            except PolicyError:
                refused.add(kind)
    assert refused >= known


def as_planned(value: Any, *, shorter: int = 0, name: str = "") -> Any:
    """``value`` as a plan shows it: blocks in lists; with its periods less ``shorter``."""
    if isinstance(value, dict):
        body = {key: as_planned(part, shorter=shorter, name=key) for key, part in value.items()}
        return [body] if name in ("rule", "default_retention", "retention_policy") else body
    if isinstance(value, list):
        return [as_planned(part, shorter=shorter) for part in value]
    if name in ("years", "days") or "retention" in name or "immutability" in name:
        return (
            str(int(value) - shorter)
            if isinstance(value, str) and value.isdigit()
            else (value - shorter if isinstance(value, int) else value)
        )
    return value
