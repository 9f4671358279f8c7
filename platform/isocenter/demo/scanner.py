"""Four invented X-ray systems that differ as real ones do."""

from dataclasses import dataclass

from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)


@dataclass(frozen=True)
class Scanner:
    """How one system makes and stores its images.

    Attributes:
        manufacturer: (0008,0070).
        model: (0008,1090).
        serial: (0018,1000).
        modality: DX or CR.
        sop_class: UID.
        transfer_syntax: UID.
        photometric: MONOCHROME1 or MONOCHROME2.
        bits: bits stored.
        grey: lowest and highest stored value of the picture's grey scale, within the bits.
        rescale: slope and intercept of the modality transformation.
        gamma: exponent of a VOI LUT; None for a window.
        field: width and height in centimetres that it shows of an adult.
        resolution: pixels along the longer side, against the best system's.
        portable: used at the bedside: AP.
        noise: see :func:`isocenter.demo.exposure.develop`.
        blur_cm: the same.
        enhancement: the same.
    """

    manufacturer: str
    model: str
    serial: str
    modality: str
    sop_class: str
    transfer_syntax: str
    photometric: str
    bits: int
    grey: tuple[int, int]
    rescale: tuple[int, int]
    gamma: float | None
    field: tuple[float, float]
    resolution: float
    portable: bool
    noise: float
    blur_cm: float
    enhancement: float


SCANNERS = (
    Scanner(
        manufacturer="Aurora Röntgen",
        model="Meridian 400",
        serial="AR-40017",
        modality="DX",
        sop_class=DigitalXRayImageStorageForPresentation,
        transfer_syntax=ExplicitVRLittleEndian,
        photometric="MONOCHROME2",
        bits=12,
        grey=(0, 4095),
        rescale=(1, 0),
        gamma=None,
        field=(37.0, 37.0),
        resolution=1.0,
        portable=False,
        noise=0.015,
        blur_cm=0.03,
        enhancement=0.55,
    ),
    Scanner(
        manufacturer="Borealis Imaging",
        model="Polaris 7",
        serial="P7-2203",
        modality="DX",
        sop_class=DigitalXRayImageStorageForPresentation,
        transfer_syntax=JPEGLSLossless,
        photometric="MONOCHROME1",
        bits=14,
        grey=(1500, 13500),
        rescale=(1, 0),
        gamma=None,
        field=(34.0, 40.0),
        resolution=0.94,
        portable=False,
        noise=0.022,
        blur_cm=0.04,
        enhancement=0.35,
    ),
    Scanner(
        manufacturer="Cygnus Medical",
        model="Nomad CR",
        serial="N-0098",
        modality="CR",
        sop_class=ComputedRadiographyImageStorage,
        transfer_syntax=RLELossless,
        photometric="MONOCHROME2",
        bits=10,
        grey=(40, 1000),
        rescale=(2, -1024),
        gamma=None,
        field=(42.0, 35.0),
        resolution=0.80,
        portable=True,
        noise=0.035,
        blur_cm=0.07,
        enhancement=0.45,
    ),
    Scanner(
        manufacturer="Delphi Systems",
        model="FlatView S",
        serial="FVS-7741",
        modality="DX",
        sop_class=DigitalXRayImageStorageForPresentation,
        transfer_syntax=ImplicitVRLittleEndian,
        photometric="MONOCHROME1",
        bits=12,
        grey=(0, 4095),
        rescale=(1, 0),
        gamma=1.5,
        field=(36.0, 38.0),
        resolution=0.88,
        portable=False,
        noise=0.018,
        blur_cm=0.05,
        enhancement=0.75,
    ),
)
