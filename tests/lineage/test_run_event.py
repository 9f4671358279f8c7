"""Run events as OpenLineage's own Python client understands them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import attr
import jsonschema
import pytest
from openlineage.client import event_v2, facet_v2
from openlineage.client.serde import Serde
from ulid import ULID

from isocenter import lineage
from isocenter.domain.run import new_run_id
from isocenter.lineage import LineageDataset, run_uuid
from isocenter.lineage.run_event import EventType, run_event

DIGEST = "sha256:" + "a" * 64
FACETS = {
    "parameters": {"plan": {"name": "small", "seed": 7}},
    "code": {"commit": "0123abc", "digest": DIGEST},
    "environment": {"torch": "2.13.0"},
    "seeds": {"training": 7},
}


def event() -> dict[str, Any]:
    inputs = [LineageDataset("dataset", DIGEST)]
    outputs = [LineageDataset("model", "cxr", "3")]
    return run_event(EventType.COMPLETE, new_run_id(), "training.train", inputs, outputs, FACETS)


def by_the_client(value: dict[str, Any]) -> event_v2.RunEvent:
    """The same event, built of the client's classes with their validators."""

    def facets(found: dict[str, Any], kind: type) -> dict[str, Any]:
        return {name: _facet(body, kind) for name, body in found.items()}

    run, job = value["run"], value["job"]
    return event_v2.RunEvent(
        eventType=event_v2.RunState(value["eventType"]),
        eventTime=value["eventTime"],
        producer=value["producer"],
        run=event_v2.Run(run["runId"], facets(run["facets"], facet_v2.RunFacet)),
        job=event_v2.Job(job["namespace"], job["name"], facets(job["facets"], facet_v2.JobFacet)),
        inputs=[
            event_v2.InputDataset(
                d["namespace"], d["name"], None, facets=facets(d["facets"], facet_v2.DatasetFacet)
            )
            for d in value["inputs"]
        ],
        outputs=[
            event_v2.OutputDataset(
                d["namespace"], d["name"], None, facets=facets(d["facets"], facet_v2.DatasetFacet)
            )
            for d in value["outputs"]
        ],
    )


KNOWN = (facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet, facet_v2.job_type_job.JobTypeJobFacet)


def _facet(body: dict[str, Any], kind: type) -> Any:
    fields = {name: item for name, item in body.items() if not name.startswith("_")}
    for known in KNOWN:
        if body["_schemaURL"] == known._get_schema():
            return known(producer=body["_producer"], **fields)
    assert body["_schemaURL"].startswith("urn:isocenter:")
    made = attr.make_class("Own", list(fields), bases=(kind,))(producer=body["_producer"], **fields)
    made._schemaURL = body["_schemaURL"]
    return made


def test_the_client_reads_and_writes_the_same_event() -> None:
    value = event()
    read = by_the_client(value)
    assert value["schemaURL"] == read.schemaURL == event_v2.RunEvent._get_schema()
    assert json.loads(Serde.to_json(read)) == json.loads(json.dumps(value))


def test_the_run_id_is_the_ulid_in_another_spelling() -> None:
    run = new_run_id()
    assert run_uuid(run).int == int(ULID.from_str(run))
    assert ULID.from_uuid(run_uuid(run)) == ULID.from_str(run)
    value = run_event(EventType.START, run, "training.train")
    assert UUID(value["run"]["runId"]) == run_uuid(run)
    assert value["run"]["facets"]["isocenter_run"]["id"] == run


def test_what_is_no_ulid_is_refused() -> None:
    with pytest.raises(ValueError, match="ULID"):
        run_uuid("run-1")


def test_datasets_carry_their_version() -> None:
    value = event()
    assert value["inputs"][0]["facets"]["version"]["datasetVersion"] == DIGEST
    assert value["outputs"][0]["facets"]["version"]["datasetVersion"] == "3"
    assert LineageDataset("folder", "named").as_json()["facets"] == {}


def test_our_own_facets_follow_the_schema_that_they_name() -> None:
    schema = json.loads((Path(lineage.__file__).parent / "run_facets.schema.json").read_text())
    for name, facet in event()["run"]["facets"].items():
        identifier, _, pointer = facet["_schemaURL"].partition("#/$defs/")
        assert (identifier, f"isocenter_{pointer}") == (schema["$id"], name)
        assert pointer in schema["$defs"]
        jsonschema.validate(facet, {**schema, "$ref": f"#/$defs/{pointer}"})


def test_a_fact_that_is_no_object_is_wrapped() -> None:
    value = run_event(EventType.FAIL, new_run_id(), "training.train", facets={"code": "abc"})
    assert value["run"]["facets"]["isocenter_code"]["value"] == "abc"


def test_the_time_has_its_zone() -> None:
    at = datetime(2026, 11, 20, 12, 30, 0, 5000, UTC)
    value = run_event(EventType.START, new_run_id(), "training.train", at=at)
    assert value["eventTime"] == "2026-11-20T12:30:00.005+00:00"
