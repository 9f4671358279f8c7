"""How versions are named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.domain.model import Alias
from isocenter.errors import InputError
from isocenter.registry.reference import ModelReference, parse_reference


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("cxr", ModelReference("cxr")),
        ("cxr.v2_a-b:12", ModelReference("cxr.v2_a-b", 12)),
        ("cxr@champion", ModelReference("cxr", alias=Alias.CHAMPION)),
        ("sha256:0123abcd", ModelReference(digest="sha256:0123abcd")),
    ],
)
def test_the_four_forms(text: str, reference: ModelReference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "@",
        "cxr:",
        "cxr:0",
        "cxr:-1",
        "cxr:1e3",
        "cxr:٣",
        "cxr@",
        "cxr@best",
        "CXR",
        "cxr-",
        "../cxr",
        "c" * 64,
        "sha256:",
        "sha256:0123abc",
        "sha256:XYZ01234",
        "cxr:1@champion",
        "cxr\n",
        "cxr:9999999999",
    ],
)
def test_anything_else_is_bad_input(text: str) -> None:
    with pytest.raises(InputError):
        parse_reference(text)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_a_reference_or_bad_input(text: str) -> None:
    try:
        parsed = parse_reference(text)
    except InputError as error:
        assert len(error.message) < 600
    else:
        assert bool(parsed.name) != bool(parsed.digest)
