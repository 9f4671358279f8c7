"""Evaluation of a training output: metrics with intervals, by slice, and a report for people."""

from isocenter_training.evaluation.program import run

__all__ = ["run"]
