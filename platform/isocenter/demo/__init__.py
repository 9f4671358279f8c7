"""A synthetic chest X-ray set: a thorax phantom with consolidations, written as DICOM."""

from isocenter.demo.phantom import DemoSet, write_demo_set

__all__ = ["DemoSet", "write_demo_set"]
