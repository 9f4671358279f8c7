import os
import socket
from collections import Counter
from pathlib import Path

import pytest
from dicom_files import Xray
from pydicom.fileset import FileSet

from isocenter.datasets.quarantine import Reason
from isocenter.datasets.sources import SourceTree, survey
from isocenter.errors import InputError


def names(tree: SourceTree) -> list[str]:
    return [file.relative for file in tree.files]


def problems(tree: SourceTree) -> dict[str, Reason]:
    return {problem.relative: problem.reason for problem in tree.problems}


def touch(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_any_tree_sorted_without_junk_and_labels(tmp_path: Path) -> None:
    for name in (
        "b/2",
        "b/1.dcm",
        "a/deep/er/x",
        ".DS_Store",
        "a/Thumbs.db",
        "a/._x",
        "__MACOSX/x",
        "z/DICOMDIR",
    ):
        touch(tmp_path / name)
    labels = touch(tmp_path / "labels.csv")
    tree = survey(tmp_path, leave_out=labels)
    assert names(tree) == ["a/deep/er/x", "b/1.dcm", "b/2"]
    assert tree.problems == ()
    assert tree.files[0].size == 1
    assert tree.files[0].mtime_ns == (tmp_path / "a/deep/er/x").stat().st_mtime_ns


def test_names_with_newline_umlaut_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    odd = [b"line\nbreak.dcm", "Ü.dcm".encode(), b"\xff\xfe.dcm", "Ü.dcm".encode("latin-1")]
    for name in odd:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("x")
    assert sorted(map(os.fsencode, names(survey(tmp_path)))) == sorted(odd)


def test_links_are_followed_once_and_loops_are_reported(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    touch(outside / "x.dcm")
    root = tmp_path / "root"
    touch(root / "z/y.dcm")
    (root / "z/up").symlink_to(root)
    (root / "z/self").symlink_to("self")
    (root / "a").symlink_to(root / "z")
    (root / "far").symlink_to(outside)
    (root / "far-again").symlink_to(outside)
    (root / "gone").symlink_to(tmp_path / "nothing")
    (root / "file").symlink_to(outside / "x.dcm")
    tree = survey(root)
    far = Counter(name.split("/")[0] for name in names(tree) if name.startswith("far"))
    assert sum(far.values()) == 1
    assert [name for name in names(tree) if not name.startswith("far")] == ["file", "z/y.dcm"]
    assert problems(tree) == {
        "z/up": Reason.SYMLINK_LOOP,
        "z/self": Reason.SYMLINK_LOOP,
        "gone": Reason.BROKEN_LINK,
    }


def test_two_folders_that_link_to_each_other_end(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        touch(tmp_path / one / "x")
        (tmp_path / one / "other").symlink_to(tmp_path / other)
    assert names(survey(tmp_path)) == ["a/x", "b/x"]


def test_pipes_and_sockets_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    touch(tmp_path / "x.dcm")
    (tmp_path / "folder.dcm").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.dcm"))
        tree = survey(tmp_path)
    assert names(tree) == ["x.dcm"]
    assert problems(tree) == {"pipe.dcm": Reason.NOT_A_FILE, "socket.dcm": Reason.NOT_A_FILE}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "holds no files"),
        (lambda path: touch(path / ".DS_Store"), "holds no files"),
        (lambda path: touch(path), "is a file"),
        (lambda path: path.symlink_to(path), "does not exist or can't be reached"),
    ],
)
def test_what_is_no_source(tmp_path: Path, make: object, message: str) -> None:
    path = tmp_path / "CANARY"
    make(path)  # type: ignore[operator]
    with pytest.raises(InputError, match=message) as caught:
        survey(path)
    assert caught.value.exit_code == 3
    assert "CANARY" not in caught.value.message + caught.value.hint


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """A medium with three images and their DICOMDIR, and one file that it doesn't name."""
    fileset = FileSet()
    for number in range(3):
        image = Xray(
            f"image{number}", patient=f"p{number}", header={"InstanceNumber": "1", "SeriesNumber": "1"}
        )
        dataset = image.dataset()
        dataset.StudyTime, dataset.StudyID = "120000", "1"
        fileset.add(dataset)
    fileset.write(tmp_path / "medium")
    fileset._stage["t"].cleanup()  # left to the garbage collector it becomes a ResourceWarning
    touch(tmp_path / "medium/unlisted.dcm")
    return tmp_path / "medium"


def test_a_dicomdir_that_is_given_names_the_files_to_read(medium: Path) -> None:
    tree = survey(medium / "DICOMDIR")
    assert len(tree.files) == 3
    assert all((medium / name).is_file() for name in names(tree))
    assert "unlisted.dcm" not in names(tree)
    assert tree.root == medium


def test_a_dicomdir_in_a_folder_hides_nothing(medium: Path) -> None:
    listed = names(survey(medium / "DICOMDIR"))
    (medium / listed[0]).unlink()
    for folder in (medium, medium.parent):
        tree = survey(folder)
        assert sorted(Path(name).name for name in names(tree)) == sorted(
            [*(Path(name).name for name in listed[1:]), "unlisted.dcm"]
        )
        assert tree.problems == ()
    (medium / "DICOMDIR").write_bytes(b"not DICOM")
    assert survey(medium).problems == ()


def test_a_medium_copied_in_lower_case(medium: Path) -> None:
    before = {file.size for file in survey(medium / "DICOMDIR").files}
    for path in sorted(medium.rglob("*"), reverse=True):
        path.rename(path.with_name(path.name.lower()))
    tree = survey(medium / "dicomdir")
    assert {file.size for file in tree.files} == before
    assert all((medium / name).is_file() for name in names(tree))


def test_a_file_that_the_dicomdir_names_is_missing(medium: Path) -> None:
    victim = survey(medium / "DICOMDIR").files[0].relative
    (medium / victim).unlink()
    tree = survey(medium / "DICOMDIR")
    assert problems(tree) == {victim: Reason.MISSING_FILE}
    assert len(tree.files) == 2


def test_a_dicomdir_does_not_lead_out_of_its_folder(medium: Path) -> None:
    import pydicom

    secret = touch(medium.parent / "SECRET")
    index = pydicom.dcmread(medium / "DICOMDIR")
    images = [record for record in index.DirectoryRecordSequence if "ReferencedFileID" in record]
    (medium / "LINK").symlink_to(secret)
    with pydicom.config.disable_value_validation():
        images[0].ReferencedFileID = ["..", "SECRET"]
        images[1].ReferencedFileID = [str(secret)]
        images[2].ReferencedFileID = "LINK"
        index.save_as(medium / "DICOMDIR")
    tree = survey(medium / "DICOMDIR")
    assert tree.files == ()
    assert set(problems(tree).values()) == {Reason.OUTSIDE_SOURCE}


@pytest.mark.parametrize("content", [b"", b"not DICOM", b"\0" * 128 + b"DICM" + b"\xff" * 50])
def test_a_broken_dicomdir_that_is_given_is_an_error(medium: Path, content: bytes) -> None:
    (medium / "DICOMDIR").write_bytes(content)
    with pytest.raises(InputError, match=r"DICOMDIR (can't be read|is cut off)") as caught:
        survey(medium / "DICOMDIR")
    assert "folder" in caught.value.hint


@pytest.mark.parametrize("undefined", [False, True])
def test_a_dicomdir_cut_anywhere_is_an_error_and_never_fewer_files(medium: Path, undefined: bool) -> None:
    import pydicom

    index = pydicom.dcmread(medium / "DICOMDIR")
    index["DirectoryRecordSequence"].is_undefined_length = undefined
    for record in index.DirectoryRecordSequence:
        record.is_undefined_length_sequence_item = undefined
    index.save_as(medium / "DICOMDIR")
    whole = (medium / "DICOMDIR").read_bytes()
    assert len(survey(medium / "DICOMDIR").files) == 3
    for length in range(0, len(whole), 2):
        (medium / "DICOMDIR").write_bytes(whole[:length])
        with pytest.raises(InputError):
            survey(medium / "DICOMDIR")
