"""The HTML report: self-contained, true to the numbers, safe against what headers hold."""

import re
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from isocenter.domain.evaluation import Decision, Estimate, EvaluationReport
from isocenter_training.evaluation import wording

VOID = {"meta", "img", "br", "circle", "line", "link"}


class Page(HTMLParser):
    """Notes elements and text, and that every element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data + " "


@pytest.fixture(scope="module")
def html(evaluated: Path) -> str:
    return (evaluated / "report.html").read_text()


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_loads_nothing_and_runs_nothing(page: Page, html: str) -> None:
    assert not {tag for tag, _ in page.elements} & {"script", "link", "iframe", "object", "form", "base"}
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            if (target := attributes.get(name)) is not None:
                assert target.startswith(("data:image/", "#")), (tag, target[:60])
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html


def test_links_lead_somewhere(page: Page) -> None:
    targets = {attributes["href"] for tag, attributes in page.elements if tag == "a"}
    assert targets <= {f"#{attributes['id']}" for _, attributes in page.elements if "id" in attributes}


def test_text_is_never_markup(page: Page, html: str) -> None:
    """A plan of a ``<b>narrow</b>`` network shows these words and makes nothing bold."""
    assert "b" not in {tag for tag, _ in page.elements}
    assert "A <b>narrow</b> network." in page.text
    assert "<b>narrow" not in html
    assert "Borealis & Sons Polar 7" in page.text
    assert "Borealis &amp; Sons Polar 7" in html


def test_pictures_have_words(page: Page) -> None:
    pictures = [attributes for tag, attributes in page.elements if tag == "img"]
    assert all(attributes.get("alt") for attributes in pictures)
    kinds = [str(attributes["src"]).split(";")[0] for attributes in pictures]
    assert kinds.count("data:image/svg+xml") == 4
    # Two kinds of at most two cases and more, each plain and with its map.
    assert kinds.count("data:image/jpeg") >= 8
    assert kinds.count("data:image/jpeg") % 2 == 0


def test_says_the_numbers_of_the_evaluation(page: Page, html: str, evaluated: Path) -> None:
    report = EvaluationReport.model_validate_json((evaluated / "evaluation.json").read_bytes())
    for name, estimate in report.metrics.items():
        assert wording.number(name, estimate.value) in page.text
        assert wording.interval(name, estimate) in page.text
    for value in (*report.confusion.values(), report.dataset_digest, report.bundle_digest):
        assert str(value) in page.text
    small = sum(part.too_small for part in report.slices)
    assert html.count('<td colspan="5"><span class="badge">too small to say') == small > 0
    assert "Not a medical device" in page.text


def test_the_title_names_model_and_dataset(html: str, evaluated: Path) -> None:
    report = EvaluationReport.model_validate_json((evaluated / "evaluation.json").read_bytes())
    (title,) = re.findall(r"<title>(.*?)</title>", html)
    heading = html[html.index("<h1>") : html.index("<nav")]
    for digest in (report.bundle_digest, report.dataset_digest):
        assert digest.removeprefix("sha256:")[:12] in title
        assert digest.removeprefix("sha256:")[:12] in heading


def test_captions_name_row_attributes_only(html: str) -> None:
    captions = re.findall(r'<span class="verdict">.*?</figcaption>', html, flags=re.DOTALL)
    assert captions
    allowed = re.compile(
        r"Score [01]\.\d{3}: called (normal|pneumonia) Labelled (normal|pneumonia)"
        r"( · nothing raised the score)? (female|male), [\d+-]+ years,( (AP|PA),)? (Acme|Borealis) .*"
    )
    for caption in captions:
        text = " ".join(re.sub(r"<[^>]+>", " ", caption).split())
        assert allowed.fullmatch(text), text


def test_fits_in_a_mail(html: str) -> None:
    assert len(html) < 2_000_000


def test_words_survive_braces_in_class_names(evaluated: Path) -> None:
    report = EvaluationReport.model_validate_json((evaluated / "evaluation.json").read_bytes())
    odd = report.model_copy(update={"classes": ("{}", "{0}%s")})
    assert any("{0}%s" in headline.sentence for headline in wording.headlines(odd))


def test_predictive_values_by_hand(evaluated: Path) -> None:
    report = EvaluationReport.model_validate_json((evaluated / "evaluation.json").read_bytes())
    metrics = dict(report.metrics) | {"sensitivity": Estimate(value=0.9), "specificity": Estimate(value=0.8)}
    rows = wording.predictive_values(report.model_copy(update={"metrics": metrics}))
    at_20 = next(row for row in rows if row.prevalence == 0.2)
    assert at_20.right_of_marked == pytest.approx(0.18 / (0.18 + 0.16))
    assert at_20.missed_of_unmarked == pytest.approx(0.02 / (0.02 + 0.64))


def test_an_undefined_metric_is_said_to_be_so() -> None:
    assert wording.number("auroc", None) == "–"
    assert wording.interval("auroc", Estimate(value=0.5)) == "–"


def test_grad_cam_is_left_out_with_the_cases(chain: ModuleType, trained: Any, tmp_path: Path) -> None:
    html = (chain.evaluate(tmp_path, trained, cases=0) / "report.html").read_text()
    assert "Grad-CAM" not in html
    assert "shows X-rays of patients" not in html
    Page(html)


def test_decision_is_checked_when_read() -> None:
    with pytest.raises(ValueError, match="temperature"):
        Decision(temperature=0, threshold=0.5, rule="")
