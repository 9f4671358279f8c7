"""The Grafana dashboard asks for metrics and labels that a running program has."""

import io
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from prometheus_client.parser import text_string_to_metric_families
from serving_program import DICOM, free_port, running

from isocenter_serving.metrics import Metrics

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana" / "isocenter-serving.json"
FROM_PROMETHEUS = {"job", "le"}
NAME = re.compile(r"isocenter_serving_[a-z_]+")
SELECTED = re.compile(r"(isocenter_serving_[a-z_]+)\{([^}]*)\}")
LABEL = re.compile(r"([a-z_]+)(?:=~|!~|!=|=)")
GROUPED = re.compile(r"by \(([^)]*)\) \((?:rate|increase)?\(?(isocenter_serving_[a-z_]+)")


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    found = json.loads(DASHBOARD.read_text())
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def samples(
    registered: Path, files: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, set[str]]:
    """Sample -> its labels, of a program that has answered, refused, abstained, denied and explained."""
    admin = free_port()
    image = pydicom.dcmread(files[0])
    image.BodyPartExamined = "HAND"
    stream = io.BytesIO()
    image.save_as(stream)
    folder = tmp_path_factory.mktemp("dashboard")
    options = ("--workers", 1, "--admin-port", admin, "--name", "cxr", "--number", 3)
    with running(folder / "log", registered, *options) as program:
        for body in (files[0].read_bytes(), stream.getvalue(), b"no DICOM"):
            program.predict(body)
        with program.client() as client:
            assert client.get("/metrics").status_code == 403
            answer = client.post("/v1/explain", content=files[0].read_bytes(), headers=DICOM)
            assert answer.status_code == 200
        text = httpx.get(f"http://127.0.0.1:{admin}/metrics").text
    # Counted when a hook fails, which none of this makes it do.
    metrics = Metrics("cxr", "3")
    metrics.hook_failed("FeatureCapture")
    own = [line for line in metrics.exposition()[0].decode().splitlines() if "hook_failures" in line]
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text + "\n".join(own) + "\n"):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    assert 'outcome="abstained"' in text
    return found


def queries(dashboard: dict[str, Any]) -> list[str]:
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return asked + [each["query"] for each in dashboard["templating"]["list"] if each["type"] == "query"]


def test_every_metric_exists(dashboard: dict[str, Any], samples: dict[str, set[str]]) -> None:
    asked = {name for query in queries(dashboard) for name in NAME.findall(query)}
    assert len(asked) > 12
    assert asked <= set(samples), asked - set(samples)


def test_every_label_exists(dashboard: dict[str, Any], samples: dict[str, set[str]]) -> None:
    checked = 0
    for query in queries(dashboard):
        named = [(name, LABEL.findall(inner)) for name, inner in SELECTED.findall(query)]
        named += [(name, re.split(r",\s*", labels)) for labels, name in GROUPED.findall(query)]
        for name, labels in named:
            assert set(labels) <= samples[name] | FROM_PROMETHEUS, (name, labels)
            checked += len(labels)
    assert checked > 20


def test_nothing_that_is_counted_is_left_out(dashboard: dict[str, Any], samples: dict[str, set[str]]) -> None:
    asked = " ".join(queries(dashboard))
    families = {re.sub(r"_(total|bucket|sum|count|created)$", "", name) for name in samples}
    assert not [name for name in families if name.startswith("isocenter_serving_") and name not in asked]


def test_panels_are_told_apart(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["description"] for panel in panels)
    places = [tuple(panel["gridPos"].values()) for panel in panels]
    assert len(set(places)) == len(places)
