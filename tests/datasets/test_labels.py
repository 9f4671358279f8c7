from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.datasets.labels import FolderLabels, TableLabels, open_labels
from isocenter.datasets.labels_csv import Identifier, read_label_rows
from isocenter.datasets.pseudonym import Pseudonyms
from isocenter.datasets.quarantine import Reason
from isocenter.datasets.record import SourceRecord
from isocenter.errors import InputError

CLASSES = ("normal", "pneumonia")
PSEUDONYMS = Pseudonyms(b"k" * 32)


def image(sop: str = "", accession: str = "", patient: str = "") -> SourceRecord:
    return SourceRecord(
        "file",
        "stamp",
        sop_key=PSEUDONYMS.key("sopinstanceuid", sop) if sop else "",
        accession_key=PSEUDONYMS.key("accessionnumber", accession) if accession else "",
        patient_label_key=PSEUDONYMS.key("patientid", patient) if patient else "",
    )


def table(tmp_path: Path, text: str, encoding: str = "utf-8") -> TableLabels:
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return TableLabels.read(path, CLASSES, PSEUDONYMS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_tables_as_people_save_them(tmp_path: Path, encoding: str, delimiter: str, newline: str) -> None:
    lines = [("Patient ID", "Note", "LABEL"), ("Müller-1", "x", "Normal"), ("2", "", " PNEUMONIA ")]
    text = newline.join(delimiter.join(cells) for cells in lines) + newline
    labels = table(tmp_path, text, encoding)
    assert labels.label_of("", image(patient="Müller-1")) == 0
    assert labels.label_of("", image(patient="2")) == 1
    assert labels.label_of("", image(patient="3")) == Reason.NO_LABEL


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip),
        st.sampled_from(["0", "1"]),
        min_size=1,
    ),
    st.sampled_from(["utf-8", "utf-16"]),
    st.sampled_from([",", ";", "\t"]),
)
def test_any_identifier_survives_the_table(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[str, str], encoding: str, delimiter: str
) -> None:
    import csv
    import io

    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter).writerows([("AccessionNumber", "label"), *rows.items()])
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    path.write_bytes(stream.getvalue().encode(encoding))
    read = {row.value: row.label for row in read_label_rows(path)}
    assert read == {identifier.strip(): label for identifier, label in rows.items()}


def test_the_most_specific_identifier_of_a_row_decides(tmp_path: Path) -> None:
    labels = table(
        tmp_path,
        "PatientID,SOPInstanceUID,AccessionNumber,label\np1,1.2.3,,1\np1,,A1,0\np2,,,1\n",
    )
    assert labels.label_of("", image("1.2.3", "A1", "p1")) == 1
    assert labels.label_of("", image("1.2.4", "A1", "p2")) == 0
    assert labels.label_of("", image("1.2.5", "A2", "p2")) == 1
    # The first two rows were about an image and a study, not about the patient.
    assert labels.label_of("", image("1.2.6", "A3", "p1")) == Reason.NO_LABEL


def test_labels_that_name_no_image_are_counted(tmp_path: Path) -> None:
    labels = table(tmp_path, "AccessionNumber,label\nA1,0\nA2,1\nA3,1\nA4,\n")
    assert labels.without_file([image(accession="A2"), image("1.2", "A9", "p")]) == 2


def test_two_labels_for_one_identifier_are_a_conflict(tmp_path: Path) -> None:
    labels = table(tmp_path, "PatientID,label\np1,0\np1,1\np2,1\np2,pneumonia\n")
    assert labels.label_of("", image(patient="p1")) == Reason.LABEL_CONFLICT
    assert labels.label_of("", image(patient="p2")) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks a column"),
        ("PatientID,verdict\n1,0\n", "lacks a column"),
        ("name,label\nx,0\n", "lacks a column"),
        ("PatientID,label\n", "holds no label"),
        ("PatientID,label\n1,\n2,\n", "holds no label"),
        ("PatientID,label\n1,normal\n2,pneumonia\n3,tuberculosis\n", "more than the classes .* tuberculosis"),
        ("PatientID,label\n1,0\n2,2\n", "more than the classes"),
        ("PatientID,label\n1,0\n2,normal\n", "Only one class is there: normal; pneumonia has no image"),
    ],
)
def test_what_a_table_can_lack(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        table(tmp_path, text)
    assert caught.value.hint


def rows(count: int, *, first: int = 0) -> list[str]:
    return [f"p{n},,{n % 2}" for n in range(first, first + count)]


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        # Never closed: in the middle, in the last row (with and without a line end behind it), in the header.
        ([*rows(3), 'p3,"a note,1', *rows(190, first=4)], 5, "never ends"),
        ([*rows(3), 'p3,"a note,1'], 5, "never ends"),
        ([*rows(3), 'p3,"a note,1', ""], 5, "never ends"),
        # Closed by the quote of another row, with and without text behind it.
        ([*rows(3), 'p3,"a note,1', *rows(190, first=4), 'p200,"a note",1', "p201,,0"], 5, "in the middle"),
        ([*rows(3), 'p3,",1', *rows(190, first=4), 'p200,",1', *rows(9)], 5, "192 lines that look like rows"),
        ([*rows(3), 'p3,",1', 'p4,",0', *rows(9)], 5, "2 lines that look like rows"),
        # After a text of two lines in the same row.
        (['p0,"a', 'b"', 'p1,",0', *rows(30), 'p2,",1'], 4, "32 lines that look like rows"),
        # Longer than a CSV cell may be.
        ([*rows(3), 'p3,"a note,1', *rows(20_000, first=4)], 5, "longer than any cell"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_quote_that_swallows_rows_is_an_error_that_names_its_line(
    tmp_path: Path, lines: list[str], line: int, words: str, newline: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        table(tmp_path, newline.join(["PatientID,note,label", *lines]))
    assert f"begins in line {line} " in caught.value.message
    assert '"' in caught.value.hint


@pytest.mark.parametrize(
    "row",
    [
        'p,"first line\nsecond line",1',
        'p,"Findings:\n\nLungs clear, heart normal, no effusion.\nSeen, compared, agreed.\n",1',
        '"p",said "no",1',
        'p,"said ""no"",\n""yes""",1',
        'p,"a; b\r\nc",1',
    ],
)
def test_text_of_several_lines_in_a_cell_is_fine(tmp_path: Path, row: str) -> None:
    for order in ([row, *rows(4)], [*rows(4), row], [*rows(2), row, *rows(2, first=2)]):
        labels = table(tmp_path, "\n".join(["PatientID,note,label", *order]))
        assert labels.label_of("", image(patient="p")) == 1
        assert [labels.label_of("", image(patient=f"p{n}")) for n in range(4)] == [0, 1, 0, 1]


@pytest.mark.parametrize("columns", ["note,PatientID,label", "PatientID,label,note"])
def test_text_of_several_lines_in_the_first_or_last_column(tmp_path: Path, columns: str) -> None:
    note = '"one\ntwo, three\nfour"'
    lines = [
        f"{note},{patient},{label}" if columns.startswith("note") else f"{patient},{label},{note}"
        for patient, label in (("a", 0), ("b", 1))
    ]
    labels = table(tmp_path, "\n".join([columns, *lines]))
    assert [labels.label_of("", image(patient=patient)) for patient in "ab"] == [0, 1]


def test_a_table_that_is_no_text_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    with pytest.raises(InputError):
        read_label_rows(tmp_path / "picture.csv")
    with pytest.raises(InputError, match="does not exist"):
        read_label_rows(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="can't be read"):
        read_label_rows(tmp_path)


def test_an_error_does_not_repeat_text_about_patients(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        table(tmp_path, "PatientID,finding\n1,normal\n2,CANARY Zoë has a cough: see the letter of 3 May\n")
    assert "CANARY" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("relative", "label"),
    [
        ("normal/a.dcm", 0),
        ("PNEUMONIA/deep/er/a.dcm", 1),
        ("normal/pneumonia/a.dcm", 1),
        ("pneumonia/ Normal /a.dcm", 0),
        ("other/a.dcm", Reason.NO_LABEL),
        ("normal", Reason.NO_LABEL),
        ("abnormal/a.dcm", Reason.NO_LABEL),
    ],
)
def test_the_nearest_folder_named_like_a_class_decides(relative: str, label: object) -> None:
    assert FolderLabels(CLASSES).label_of(relative, image()) == label


@pytest.mark.parametrize("classes", [("a", "A"), ("a", ""), (" ", "b"), ("a",), ("a", "b", "c")])
def test_two_different_names_are_needed(classes: tuple[str, str]) -> None:
    with pytest.raises(InputError, match="Two different class names"):
        open_labels(None, classes, PSEUDONYMS, ())


def test_identifiers_are_held_as_pseudonyms_only(tmp_path: Path) -> None:
    labels = table(tmp_path, "PatientID,label\nCANARY-1,0\nCANARY-2,1\n")
    assert "CANARY" not in repr(labels)
    assert set(labels.by_kind) == {Identifier.PATIENT_ID}


def test_a_folder_with_images_beside_those_of_the_classes_is_a_third_class() -> None:
    labels = FolderLabels.among(["set/Normal/1", "set/pneumonia/2", "set/covid/deep/3", "other/4"], CLASSES)
    assert labels.label_of("set/Normal/covid/1", image()) == 0
    assert labels.label_of("other/4", image()) == Reason.NO_LABEL
    assert labels.label_of("set/5", image()) == Reason.NO_LABEL
    with pytest.raises(InputError, match="third class") as caught:
        labels.label_of("set/covid/deep/3", image())
    assert "covid" not in caught.value.message + caught.value.hint
