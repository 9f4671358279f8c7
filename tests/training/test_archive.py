"""A model that comes as SageMaker's archive."""

import io
import tarfile
from pathlib import Path

import pytest

from isocenter.errors import IntegrityError
from isocenter_training.contract.archive import ARCHIVE, unpack_archive


def packed(folder: Path, name: str) -> Path:
    with tarfile.open(folder / ARCHIVE, "w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = 4
        archive.addfile(member, io.BytesIO(b"text"))
    return folder


def test_an_archive_by_itself_becomes_what_it_holds(tmp_path: Path) -> None:
    unpack_archive(packed(tmp_path, "configs/metadata.json"))
    found = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert found == ["configs/metadata.json"]


def test_an_archive_among_other_files_is_a_file(tmp_path: Path) -> None:
    (packed(tmp_path, "inside") / "beside").touch()
    unpack_archive(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beside", ARCHIVE]


@pytest.mark.parametrize("name", ["../outside", "/outside"])
def test_nothing_is_written_outside(name: str, tmp_path: Path) -> None:
    (tmp_path / "channel").mkdir()
    if name.startswith("/"):
        unpack_archive(packed(tmp_path / "channel", name))
        assert (tmp_path / "channel" / "outside").is_file()
    else:
        with pytest.raises(IntegrityError):
            unpack_archive(packed(tmp_path / "channel", name))
    assert not (tmp_path / "outside").exists()
    assert not Path("/outside").exists()


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).write_bytes(b"no archive")
    with pytest.raises(IntegrityError):
        unpack_archive(tmp_path)
