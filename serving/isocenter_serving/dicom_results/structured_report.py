"""The answer as an Enhanced SR by TID 1500 (PS3.16), the form that viewers read measurements from."""

import io
from typing import TYPE_CHECKING

from isocenter_serving.answer import Prediction
from isocenter_serving.dicom_results.source_image import SourceImage, writing_results
from isocenter_serving.verdict import Verdict

if TYPE_CHECKING:
    from highdicom.sr import (
        CodedConcept,
        Measurement,
        MeasurementReport,
        ObserverContext,
        QualitativeEvaluation,
    )

_MANUFACTURER = "Isocenter"
_SERIES = 9001


def structured_report(source: SourceImage, answer: Prediction, verdict: Verdict, *, version: str) -> bytes:
    """A DICOM file: the score as a measurement, the decision and the verdict in words.

    Args:
        source: the image.
        answer: about it.
        verdict: about it.
        version: of this software.

    Raises:
        InputError: the image's header doesn't allow one.
    """
    import highdicom as hd

    with writing_results():
        report = hd.sr.EnhancedSR(
            evidence=[source.header],
            content=_content(source, answer, verdict),
            series_number=_SERIES,
            series_instance_uid=source.result_uid("sr-series", answer.model.digest),
            sop_instance_uid=source.result_uid("sr", answer.model.digest),
            instance_number=1,
            manufacturer=_MANUFACTURER,
            series_description="AI result, for research",
            is_complete=True,
            is_verified=False,
        )
        report.SoftwareVersions = version
        stream = io.BytesIO()
        report.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _content(source: SourceImage, answer: Prediction, verdict: Verdict) -> "MeasurementReport":
    import highdicom as hd
    from pydicom.sr.codedict import codes

    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=source.result_uid("finding", answer.model.digest), identifier="AI finding"
        ),
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=_model_name(answer), version=str(answer.model.version or answer.model.digest[:19])
        ),
        source_images=[hd.sr.SourceImageForMeasurementGroup.from_source_image(source.header)],
        measurements=_measurements(answer, verdict),
        qualitative_evaluations=_evaluations(answer, verdict),
    )
    return hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=_device(answer)),
        procedure_reported=hd.sr.CodedConcept("399208008", "SCT", "Plain X-ray of chest"),
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )


def _device(answer: Prediction) -> "ObserverContext":
    import highdicom as hd
    from pydicom.sr.codedict import codes

    number = int(answer.model.digest.removeprefix("sha256:")[:31], 16)
    return hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=f"2.25.{number}", name=_model_name(answer), manufacturer_name=_MANUFACTURER
        ),
    )


def _measurements(answer: Prediction, verdict: Verdict) -> "list[Measurement]":
    """Score and threshold; no score where the model abstains, so that nobody reads it all the same."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    score = [] if verdict.abstains else [("score", "Calibrated score", answer.score)]
    numbers = [*score, ("threshold", "Decision threshold", answer.threshold)]
    return [
        hd.sr.Measurement(_code(name, meaning), value, codes.UCUM.NoUnits) for name, meaning, value in numbers
    ]


def _evaluations(answer: Prediction, verdict: Verdict) -> "list[QualitativeEvaluation]":
    """The decision, and each reason for which the model would rather not have decided."""
    import highdicom as hd

    decision = "abstained" if verdict.abstains else answer.decision
    found = [hd.sr.QualitativeEvaluation(_code("decision", "Decision"), _code(decision, decision))]
    found += [
        hd.sr.QualitativeEvaluation(_code("input", "Input verdict"), _code(each.code, each.message))
        for each in verdict.findings
    ]
    return found


def _code(value: str, meaning: str) -> "CodedConcept":
    """A private code (PS3.16 8.2); values are at most 16 characters long, meanings 64 (PS3.5 6.2)."""
    import highdicom as hd

    return hd.sr.CodedConcept(value[:16], "99ISOCENTER", meaning[:64])


def _model_name(answer: Prediction) -> str:
    return (answer.model.name or "model")[:64]
