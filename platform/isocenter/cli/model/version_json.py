"""A model version as JSON, the same in every verb."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isocenter.domain.model import ModelVersion


def version_json(version: "ModelVersion") -> dict[str, Any]:
    """The fields of ``version``, JSON-able."""
    return {
        "reference": version.reference,
        "name": version.name,
        "number": version.number,
        "aliases": [alias.value for alias in version.aliases],
        "artifact_digest": version.artifact_digest,
        "artifact_uri": version.artifact_uri,
        "dataset_digest": version.dataset_digest,
        "run": version.run,
        "metrics": dict(version.metrics),
        "created_at": version.created_at.isoformat(),
        "created_by": version.created_by,
    }


def metric_text(value: Any) -> str:
    """``0.931 (0.902 to 0.957)`` of a metric as it was registered: a number, or value, low and high.

    A dash stands where an interval would and there is none.
    """
    found = value if isinstance(value, dict) else {"value": value}
    number, low, high = found.get("value"), found.get("low"), found.get("high")
    if not isinstance(number, int | float):
        return "" if number is None else str(number)
    if isinstance(low, int | float) and isinstance(high, int | float):
        return f"{number:.3f} ({low:.3f} to {high:.3f})"
    return f"{number:.3f}" + (" (–)" if "low" in found else "")
