"""From a folder of labelled DICOM files to a DatasetVersion in the store."""

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from isocenter.datasets import manifest
from isocenter.datasets.decode_messages import FileToRead, WorkerSettings
from isocenter.datasets.decode_pool import open_pool
from isocenter.datasets.fingerprint import fingerprint, source_key, stamp
from isocenter.datasets.ingest_facts import (
    FACTS_NAME,
    IngestFacts,
    LastIngest,
    read_last,
    write_facts,
    write_last,
)
from isocenter.datasets.labels import Labels, one_class_only, open_labels
from isocenter.datasets.ledger import Ledger, TilePlace, open_ledger
from isocenter.datasets.pseudonym import Pseudonyms
from isocenter.datasets.publication import (
    Content,
    is_published,
    place,
    places_of_published,
    publish,
)
from isocenter.datasets.quarantine import FILE_NAME as QUARANTINE_NAME
from isocenter.datasets.quarantine import Quarantined, Reason, count_reasons, quarantined, write_quarantine
from isocenter.datasets.reader import dataset_path, open_dataset
from isocenter.datasets.reader_version import reader_version
from isocenter.datasets.record import SourceRecord
from isocenter.datasets.selection import Selection, select
from isocenter.datasets.sources import SourceFile, SourceTree, survey
from isocenter.domain.dataset import DatasetVersion
from isocenter.errors import EnvironmentFaultError, InputError
from isocenter.home import Home

SMALLEST_IMAGE, LARGEST_IMAGE = 16, 2048
# Refusals that may not come again: the file's content had no part in them.
_PASSING = frozenset({Reason.UNREADABLE, Reason.OUT_OF_MEMORY, Reason.CRASHED_READER})
_MOST_ROUNDS = 3


@dataclass(frozen=True)
class Progress:
    """How far an ingest is.

    Args:
        stage: ``waiting`` (another ingest of the source runs), ``listing``, ``reading`` or ``publishing``.
        done: files.
        total: files; 0 when unknown.
    """

    stage: str
    done: int = 0
    total: int = 0


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True)
class IngestResult:
    """What an ingest made.

    Args:
        dataset: the DatasetVersion.
        path: its directory.
        used: images in it.
        reused: files that an earlier ingest had read.
        decoded: files that were read now.
        duplicates: files that hold the same image as another.
        quarantined: files set aside, by reason.
        labels_without_file: labels that name no image which could be read.
        unchanged: whether this source gave the same dataset the last time.
    """

    dataset: DatasetVersion
    path: Path
    used: int
    reused: int
    decoded: int
    duplicates: int
    quarantined: Mapping[str, int]
    labels_without_file: int
    unchanged: bool


def ingest(
    home: Home,
    source: Path,
    *,
    labels: Path | None,
    classes: tuple[str, str],
    image_size: int,
    processes: int | None = None,
    progress: ProgressCallback | None = None,
) -> IngestResult:
    """Read the files under ``source`` and publish them as a DatasetVersion.

    Killed at any moment, the same call continues. Files that an earlier ingest of the same source read, and
    that have not changed, are not read again. A second ingest of the same source waits for the first.

    Args:
        home: the store.
        source: a folder, or a DICOMDIR.
        labels: a table with a column SOPInstanceUID, StudyInstanceUID, AccessionNumber or PatientID, and a
            column label; None: the folders are named after the classes.
        classes: names of the classes, the negative one first.
        image_size: rows and columns of the cached pixels.
        processes: how many read files; None: one a core.
        progress: is told how far the ingest is.

    Raises:
        InputError: source or labels can't be used, nothing in it is usable, a third class, only one class.
        EnvironmentFaultError: the disk is full, or the store can't be written.
        IntegrityError: the store was changed from outside.
    """
    if not SMALLEST_IMAGE <= image_size <= LARGEST_IMAGE:
        raise InputError(f"The image size must be from {SMALLEST_IMAGE} to {LARGEST_IMAGE} pixels.")
    if processes is not None and processes < 1:
        raise InputError("At least one process is needed.")
    report = progress or (lambda _: None)
    names = classes[0].strip(), classes[1].strip()
    with _store_faults():
        work = _Ingest(home, source, labels, names, image_size, processes or _cores(), report)
        return work.run()


@dataclass(frozen=True)
class _Ingest:
    home: Home
    source: Path
    labels: Path | None
    classes: tuple[str, str]
    image_size: int
    processes: int
    report: ProgressCallback

    def run(self) -> IngestResult:
        pseudonyms = Pseudonyms(self.home.site_secret())
        self.report(Progress("listing"))
        tree = survey(self.source, leave_out=self.labels)
        name = pseudonyms.key("source", os.fsencode(tree.root))[:32]
        with self._lock(name) as waited:
            if waited:
                tree = survey(self.source, leave_out=self.labels)
            mark = fingerprint(pseudonyms, tree, self.labels, self.classes, self.image_size)
            folder = self.home.ingests / name
            last = read_last(folder)
            if last and last.fingerprint == mark and self._still_holds(last):
                return self._nothing_new(last, folder)
            return self._do(pseudonyms, tree, folder, mark)

    @contextmanager
    def _lock(self, name: str) -> Iterator[bool]:
        """Hold the source's lock; tells whether another process held it."""
        from filelock import FileLock, Timeout

        self.home.locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.home.locks / f"ingest-{name}.lock")
        waited = False
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self.report(Progress("waiting"))
            lock.acquire()
            waited = True
        try:
            yield waited
        finally:
            lock.release()

    def _still_holds(self, last: LastIngest) -> bool:
        passing = any(reason in _PASSING for reason in last.facts.quarantined)
        return not passing and is_published(self.home, last.digest, self.image_size, reader_version())

    def _nothing_new(self, last: LastIngest, folder: Path) -> IngestResult:
        path = dataset_path(self.home, last.digest)
        facts = last.facts.again(datetime.now(UTC))
        write_facts(folder, facts)
        place(folder, path, FACTS_NAME)
        return self._result(open_dataset(path).version, facts, unchanged=True)

    def _do(self, pseudonyms: Pseudonyms, tree: SourceTree, folder: Path, mark: str) -> IngestResult:
        # Before reading for hours: what is wrong with the labels shows now.
        files = (file.relative for file in tree.files)
        labels = open_labels(self.labels, self.classes, pseudonyms, files)
        ledger = open_ledger(folder, reader_version(), self.image_size)
        try:
            gathering = self._gather(pseudonyms, tree, ledger, labels)
            return self._publish(pseudonyms, tree, ledger, labels, gathering, mark)
        finally:
            ledger.remove_half_written()

    def _gather(
        self, pseudonyms: Pseudonyms, tree: SourceTree, ledger: Ledger, labels: Labels
    ) -> "_Gathering":
        """Read what is not known yet, decide which images make the dataset, and find all their tiles."""
        files = [_to_read(pseudonyms, file) for file in tree.files]
        by_key = {file.source_key: file for file in files}
        unknown = [file for file in files if not _is_known(ledger, file)]
        decoded: set[str] = set()
        for _ in range(_MOST_ROUNDS):
            decoded.update(file.source_key for file in unknown)
            self._read(pseudonyms, tree, ledger, unknown)
            records = [ledger.records[file.source_key] for file in files]
            selection = select(records, lambda r: labels.label_of(by_key[r.source_key].relative, r))
            places = self._places(ledger, selection)
            keys = [row.record.source_key for row in selection.rows if row.record.pixel_digest not in places]
            if not keys:
                return _Gathering(tuple(records), selection, places, len(decoded))
            # Read by an earlier ingest, but not used in its dataset, so that no tile was kept.
            unknown = [by_key[key] for key in keys]
        raise InputError("The files change while they are read.", hint="Ingest a folder that stays as it is.")

    def _read(
        self, pseudonyms: Pseudonyms, tree: SourceTree, ledger: Ledger, files: Sequence[FileToRead]
    ) -> None:
        settings = WorkerSettings(tree.root, self.image_size, pseudonyms)
        with open_pool(settings, ledger.chunks, self.processes) as pool:
            on_progress = lambda done: self.report(Progress("reading", done, len(files)))  # noqa: E731
            for chunk in pool.read(files, on_progress):
                ledger.add(chunk)

    def _places(self, ledger: Ledger, selection: Selection) -> Mapping[str, TilePlace]:
        wanted = {row.record.pixel_digest for row in selection.rows} - ledger.tiles.keys()
        earlier = places_of_published(self.home, ledger.published, wanted, self.image_size, ledger.reader)
        return {**earlier, **ledger.tiles}

    def _publish(
        self,
        pseudonyms: Pseudonyms,
        tree: SourceTree,
        ledger: Ledger,
        labels: Labels,
        gathering: "_Gathering",
        mark: str,
    ) -> IngestResult:
        selection = gathering.selection
        set_aside = [*selection.set_aside, *_problems(pseudonyms, tree)]
        self._check(selection, set_aside)
        self.report(Progress("publishing", 0, len(selection.rows)))
        content = self._content(ledger, gathering)
        digest = content.version.digest
        unchanged = ledger.published[:1] == (digest,) and is_published(
            self.home, digest, self.image_size, ledger.reader
        )
        dataset = publish(self.home, ledger.folder / "publication", content)
        facts = IngestFacts(
            ingested_at=datetime.now(UTC),
            image_size=self.image_size,
            files=len(tree.files),
            used=len(selection.rows),
            reused=len(tree.files) - gathering.decoded,
            decoded=gathering.decoded,
            duplicates=selection.duplicates,
            quarantined=count_reasons(set_aside),
            labels_without_file=labels.without_file(r for r in gathering.records if r.was_read),
        )
        write_quarantine(ledger.folder, set_aside)
        write_facts(ledger.folder, facts)
        place(ledger.folder, dataset.path, QUARANTINE_NAME, FACTS_NAME)
        ledger.settle(gathering.records, digest)
        write_last(ledger.folder, LastIngest(fingerprint=mark, digest=digest, facts=facts))
        return self._result(content.version, facts, unchanged=unchanged)

    def _check(self, selection: Selection, set_aside: Sequence[Quarantined]) -> None:
        if not selection.rows:
            reasons = ", ".join(f"{count} {reason}" for reason, count in count_reasons(set_aside).items())
            raise InputError(f"None of the files can be used: {reasons}.", hint=self._hint(set_aside))
        found = {row.label for row in selection.rows}
        if len(found) == 1:
            raise one_class_only(self.classes, found.pop())

    def _hint(self, set_aside: Sequence[Quarantined]) -> str:
        unlabelled = any(entry.reason == Reason.NO_LABEL for entry in set_aside)
        if unlabelled and self.labels:
            return "Do the identifiers in the labels file belong to these images?"
        if unlabelled:
            return f"Give --labels FILE, or name the folders {self.classes[0]} and {self.classes[1]}."
        return "Isocenter reads CR, DX and secondary-capture radiographs of one frame in DICOM."

    def _content(self, ledger: Ledger, gathering: "_Gathering") -> Content:
        rows = gathering.selection.rows
        table = manifest.manifest_table(rows)
        version = DatasetVersion(
            digest=manifest.content_digest(table, self.classes),
            classes=self.classes,
            images=len(rows),
            patients=len({row.record.patient_key for row in rows}),
        )
        places = [gathering.places[row.record.pixel_digest] for row in rows]
        return Content(version, table, places, self.image_size, ledger.reader)

    def _result(self, version: DatasetVersion, facts: IngestFacts, *, unchanged: bool) -> IngestResult:
        return IngestResult(
            dataset=version,
            path=dataset_path(self.home, version.digest),
            used=facts.used,
            reused=facts.reused,
            decoded=facts.decoded,
            duplicates=facts.duplicates,
            quarantined=facts.quarantined,
            labels_without_file=facts.labels_without_file,
            unchanged=unchanged,
        )


@dataclass(frozen=True)
class _Gathering:
    """What was read: all records, the selection of them, places of its tiles, and how many were read now."""

    records: tuple[SourceRecord, ...]
    selection: Selection
    places: Mapping[str, TilePlace]
    decoded: int


def _to_read(pseudonyms: Pseudonyms, file: SourceFile) -> FileToRead:
    return FileToRead(file.relative, source_key(pseudonyms, file.relative), stamp(pseudonyms, file))


def _is_known(ledger: Ledger, file: FileToRead) -> bool:
    record = ledger.records.get(file.source_key)
    return record is not None and record.stamp == file.stamp and record.reason not in _PASSING


def _problems(pseudonyms: Pseudonyms, tree: SourceTree) -> list[Quarantined]:
    return [quarantined(source_key(pseudonyms, p.relative), p.reason) for p in tree.problems]


def _cores() -> int:
    return len(os.sched_getaffinity(0))


@contextmanager
def _store_faults() -> Iterator[None]:
    """What the operating system says of the store, in our words."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EnvironmentFaultError(
                "The disk that holds the store is full; nothing half-written was kept.",
                hint="Free some space, then run the same command again: it continues.",
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO):
            raise EnvironmentFaultError(
                f"The store can't be read or written: {error.strerror}.",
                hint="Check the permissions and the disk of the store.",
            ) from error
        raise
