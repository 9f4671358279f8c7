"""The explanation as a Secondary Capture image (PS3.3 A.8.1): any viewer shows it."""

import io
from typing import TYPE_CHECKING

from isocenter_serving.answer import Prediction
from isocenter_serving.dicom_results.source_image import SourceImage, writing_results

if TYPE_CHECKING:
    from isocenter_serving.explanation import Picture

_MANUFACTURER = "Isocenter"
_SERIES = 9002
_LINE_HEIGHT = 14


def secondary_capture(source: SourceImage, picture: "Picture", answer: Prediction) -> bytes:
    """A DICOM file: the picture, with a caption below it that names model, score and purpose.

    Args:
        source: the image that ``picture`` explains.
        picture: uint8 [S, S, 3].
        answer: about it.

    Raises:
        InputError: the image's header doesn't allow one.
    """
    import highdicom as hd

    with writing_results():
        image = hd.sc.SCImage.from_ref_dataset(
            ref_dataset=source.header,
            pixel_array=_captioned(picture, answer),
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            series_instance_uid=source.result_uid("sc-series", answer.model.digest),
            series_number=_SERIES,
            sop_instance_uid=source.result_uid("sc", answer.model.digest),
            instance_number=1,
            manufacturer=_MANUFACTURER,
            patient_orientation=("L", "F"),
            series_description="AI explanation, for research",
        )
        image.BurnedInAnnotation = "NO"  # the caption holds no patient data
        image.Laterality = ""  # type 2C (PS3.3 C.7.3.1)
        image.DerivationDescription = "Occlusion map over the scaled image"
        stream = io.BytesIO()
        image.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _captioned(picture: "Picture", answer: Prediction) -> "Picture":
    import numpy as np
    from PIL import Image, ImageDraw

    name = f"{answer.model.name or 'model'} {answer.model.version or ''}".strip()
    lines = (
        name,
        f"{answer.decision}: score {answer.score:.3f}, from {answer.threshold:.3f}",
        "For research only",
    )
    rows, columns, _ = picture.shape
    page = Image.new("RGB", (max(columns, 256), rows + _LINE_HEIGHT * len(lines) + 4))
    page.paste(Image.fromarray(picture), ((page.width - columns) // 2, 0))
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((4, rows + 2 + number * _LINE_HEIGHT), line, fill=(255, 255, 255))
    return np.asarray(page)
