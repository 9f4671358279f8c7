"""Whether an ingest would find anything new, by names, sizes and times alone."""

import hashlib
import os
from pathlib import Path

from isocenter.datasets.class_names import check_classes
from isocenter.datasets.labels_csv import read_bytes
from isocenter.datasets.pseudonym import Pseudonyms
from isocenter.datasets.reader_version import reader_version
from isocenter.datasets.sources import SourceFile, SourceTree, survey
from isocenter.domain.digest import canonical_json
from isocenter.home import Home


def source_key(pseudonyms: Pseudonyms, relative: str) -> str:
    """Pseudonym of a file's path below the source: what quarantine and ledger call the file."""
    return pseudonyms.key("file", relative)


def stamp(pseudonyms: Pseudonyms, file: SourceFile) -> str:
    """Pseudonym of a file's path, size and time of last change (the time alone would tell a date)."""
    return pseudonyms.key("stamp", file.relative, file.size, file.mtime_ns)


def source_fingerprint(
    home: Home, source: Path, labels: Path | None, classes: tuple[str, str], image_size: int
) -> str:
    """``sha256:...`` over all that decides what an ingest makes, without opening an image.

    Equal fingerprints of one store mean that ``ingest`` with the same arguments would do nothing, as long as
    the dataset that it made is still there.

    Raises:
        InputError: the source doesn't exist or holds no files, or the labels can't be read.
    """
    tree = survey(source, leave_out=labels)
    return fingerprint(Pseudonyms(home.site_secret()), tree, labels, classes, image_size)


def fingerprint(
    pseudonyms: Pseudonyms, tree: SourceTree, labels: Path | None, classes: tuple[str, str], image_size: int
) -> str:
    """The same for a tree that is listed already."""
    check_classes(classes)
    settings = [reader_version(), [name.strip() for name in classes], image_size]
    digest = hashlib.sha256(canonical_json(settings))
    digest.update(pseudonyms.key("labels", read_bytes(labels) if labels else b"").encode())
    for file in tree.files:
        # Opening rights change without the time of last change.
        readable = os.access(tree.root / file.relative, os.R_OK)
        digest.update(f"{stamp(pseudonyms, file)} {readable:d}\n".encode())
    for problem in tree.problems:
        digest.update(f"{source_key(pseudonyms, problem.relative)} {problem.reason}\n".encode())
    return "sha256:" + digest.hexdigest()
