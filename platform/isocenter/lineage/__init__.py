"""Lineage as OpenLineage run events."""

from isocenter.lineage.emitter import LineageDataset, LineageEmitter, run_uuid

__all__ = ["LineageDataset", "LineageEmitter", "run_uuid"]
