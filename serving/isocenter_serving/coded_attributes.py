"""Attributes of a file by known words only: what people typed into it goes into no answer and is not kept.

A person may type a name where a code belongs, and nothing in the file tells that it is one.
"""

import re
from collections.abc import Mapping

from isocenter_serving.reference import Reference

# PS3.3 C.8.1.1.1, the defined terms of Body Part Examined in the CR Series module.
BODY_PARTS = frozenset(
    (
        "SKULL", "CSPINE", "TSPINE", "LSPINE", "SSPINE", "COCCYX", "CHEST", "CLAVICLE", "BREAST", "ABDOMEN",
        "PELVIS", "HIP", "SHOULDER", "ELBOW", "KNEE", "ANKLE", "HAND", "FOOT", "EXTREMITY", "HEAD", "HEART",
        "NECK", "LEG", "ARM", "JAW",
    )
)  # fmt: skip
# PS3.3 C.7.3.1.1.1, of the defined terms of Modality those of images.
PROJECTIONS = frozenset(("CR", "DX", "RG"))
MODALITIES = PROJECTIONS | frozenset(
    ("CT", "MR", "US", "MG", "NM", "PT", "XA", "RF", "IO", "PX", "XC", "ES", "OP", "OCT", "SM", "GM", "OT")
)
OTHER = "other"
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")
_TRAINED_SHARE = 0.01
"""A body part that is no defined term is a word of the training images when so many say it."""


def coded(attributes: Mapping[str, str], reference: Reference) -> dict[str, str]:
    """``attributes`` with ``other`` in place of each value that is neither the standard's nor the model's.

    Args:
        attributes: by name in the profile; empty where the file doesn't say.
        reference: the bundle's profile, whose words are known.
    """
    known = {
        "body_part": BODY_PARTS | _codes(reference, "body_part"),
        "modality": MODALITIES | _codes(reference, "modality"),
        "scanner": reference.seen("scanner"),
    }
    return {
        name: OTHER if value and name in known and value not in known[name] else value
        for name, value in attributes.items()
    }


def _codes(reference: Reference, name: str) -> frozenset[str]:
    values = reference.seen(name, share=_TRAINED_SHARE)
    return frozenset(value for value in values if _CODE.fullmatch(value))
