"""DatasetVersions: folders of labelled DICOM files made into immutable snapshots that training can read."""

from isocenter.datasets.fingerprint import source_fingerprint
from isocenter.datasets.ingest import IngestResult, Progress, ProgressCallback, ingest
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
