"""DatasetVersions: folders of labelled DICOM files made into immutable snapshots that training can read.

What is named here is loaded when it is first used: training opens datasets without what ingest needs, and
the processes that read files start in half the time.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isocenter.datasets.fingerprint import source_fingerprint
    from isocenter.datasets.ingestion import IngestResult, Progress, ProgressCallback, ingest
    from isocenter.datasets.reader import Dataset, open_dataset
    from isocenter.datasets.summary import DatasetSummary, summarise

__all__ = [
    "Dataset",
    "DatasetSummary",
    "IngestResult",
    "Progress",
    "ProgressCallback",
    "ingest",
    "open_dataset",
    "source_fingerprint",
    "summarise",
]

_MODULES = {
    "fingerprint": ("source_fingerprint",),
    "ingestion": ("IngestResult", "Progress", "ProgressCallback", "ingest"),
    "reader": ("Dataset", "open_dataset"),
    "summary": ("DatasetSummary", "summarise"),
}


def __getattr__(name: str) -> Any:
    """Load ``name`` on first use (PEP 562)."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
