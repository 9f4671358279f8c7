"""Answers as DICOM objects that a PACS can file beside the image."""

from isocenter_serving.dicom_results.secondary_capture import secondary_capture
from isocenter_serving.dicom_results.source_image import SourceImage, read_source
from isocenter_serving.dicom_results.structured_report import structured_report

__all__ = ["SourceImage", "read_source", "secondary_capture", "structured_report"]
