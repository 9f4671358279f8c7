"""OpenLineage run events (spec 2-0-2) as JSON-able values.

https://openlineage.io/spec/2-0-2/OpenLineage.json
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from isocenter import __version__

SCHEMA_URL = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
PRODUCER = f"urn:isocenter:platform:{__version__}"
NAMESPACE = "isocenter"
_FACETS = "https://openlineage.io/spec/facets"
_DATASET_VERSION = f"{_FACETS}/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
_JOB_TYPE = f"{_FACETS}/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet"
_OWN_FACETS = "urn:isocenter:lineage:run-facets:1#/$defs"


class EventType(enum.StrEnum):
    """What happened to the run."""

    START = "START"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"


@dataclass(frozen=True)
class LineageDataset:
    """What a run read or made.

    Args:
        namespace: what kind of thing it is, e.g. ``dataset`` or ``model``.
        name: its name, or its digest where it has none.
        version: digest or number of this state of it; empty takes ``name`` if that is a digest.
    """

    namespace: str
    name: str
    version: str = ""

    def as_json(self) -> dict[str, Any]:
        """The dataset of an event, with its version as facet."""
        version = self.version or (self.name if self.name.startswith("sha256:") else "")
        facets = {"version": _facet(_DATASET_VERSION, {"datasetVersion": version})} if version else {}
        return {"namespace": self.namespace, "name": self.name, "facets": facets}


def run_uuid(run: str) -> UUID:
    """The UUID with the same 128 bits as the ULID ``run``: OpenLineage wants its run ids so.

    Raises:
        ValueError: not a ULID.
    """
    from ulid import ULID

    return ULID.from_str(run).to_uuid()


def run_event(
    kind: EventType,
    run: str,
    job_name: str,
    inputs: Sequence[LineageDataset] = (),
    outputs: Sequence[LineageDataset] = (),
    facets: Mapping[str, Any] | None = None,
    *,
    at: datetime | None = None,
) -> dict[str, Any]:
    """One event.

    Args:
        kind: what happened.
        run: the run's ULID.
        job_name: dotted, e.g. ``training.evaluate``.
        inputs: what the run read.
        outputs: what it made.
        facets: facts about the run: ``parameters``, ``code``, ``environment``, ``seeds`` ...; each becomes
            the custom run facet ``isocenter_<name>``.
        at: when; None is now.

    Raises:
        ValueError: ``run`` is not a ULID.
    """
    facts = {"run": {"id": run}, **(facets or {})}
    own = {f"isocenter_{name}": _own_facet(name, value) for name, value in facts.items()}
    job_type = {"processingType": "BATCH", "integration": "ISOCENTER", "jobType": "STEP"}
    return {
        "eventType": kind.value,
        "eventTime": (at or datetime.now(UTC)).isoformat(timespec="milliseconds"),
        "producer": PRODUCER,
        "schemaURL": SCHEMA_URL,
        "run": {"runId": str(run_uuid(run)), "facets": own},
        "job": {
            "namespace": NAMESPACE,
            "name": job_name,
            "facets": {"jobType": _facet(_JOB_TYPE, job_type)},
        },
        "inputs": [item.as_json() for item in inputs],
        "outputs": [item.as_json() for item in outputs],
    }


def _own_facet(name: str, value: Any) -> dict[str, Any]:
    body = dict(value) if isinstance(value, Mapping) else {"value": value}
    return _facet(f"{_OWN_FACETS}/{name}", body)


def _facet(schema_url: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": schema_url, **body}
