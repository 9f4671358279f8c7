"""Which part of the work a patient's images serve: decided by hash, so that it never changes.

The share of a patient in [0, 1) depends on that patient's identifier and on nothing else: adding, removing or
relabelling other patients moves nobody, and two stores agree without talking to each other. Each class is
split in the same expected proportions, because the hash knows nothing of the label; the actual shares are
printed by ``isocenter data show``.
"""

import hashlib

from isocenter.domain.dataset import Split

_VERSION = "isocenter-split-v1"
TRAIN_BELOW = 0.70
VALIDATION_BELOW = 0.85


def split_of(*identifier: str) -> Split:
    """The split of the patient with this identifier (issuer and PatientID, or what stands in for them)."""
    share = share_of(*identifier)
    if share < TRAIN_BELOW:
        return Split.TRAIN
    return Split.VALIDATION if share < VALIDATION_BELOW else Split.TEST


def share_of(*identifier: str) -> float:
    """A number in [0, 1), evenly spread over identifiers: the first 53 bits of a SHA-256."""
    parts = [part.encode("utf-8", "surrogateescape") for part in (_VERSION, *identifier)]
    message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return (int.from_bytes(hashlib.sha256(message).digest()[:8], "big") >> 11) / (1 << 53)
