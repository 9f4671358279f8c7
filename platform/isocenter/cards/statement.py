"""Statements: the texts of a card that a person writes, and what promotion needs of each."""

import enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_LONGEST = 20_000


class Need(enum.StrEnum):
    """What a statement needs before promotion."""

    REQUIRED = "required"
    OR_NOT_AVAILABLE = "or not available"
    OPTIONAL = "optional"


class Section(BaseModel):
    """A part of a card that holds statements."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


def statement(title: str, description: str, need: Need = Need.REQUIRED) -> Any:
    """A text field of a :class:`Section`.

    Args:
        title: heading in Markdown.
        description: what to write, for the template.
        need: REQUIRED must be written; OR_NOT_AVAILABLE may say "not available", which HTI-1 lets a
            developer say of these attributes; OPTIONAL may stay empty.
    """
    extra: dict[str, Any] = {"need": need.value}
    return Field(
        default="", title=title, description=description, max_length=_LONGEST, json_schema_extra=extra
    )


def need_of(section: type[BaseModel], name: str) -> Need | None:
    """What the statement ``name`` of ``section`` needs; None if the field is no statement."""
    extra = section.model_fields[name].json_schema_extra
    return Need(str(extra["need"])) if isinstance(extra, dict) and "need" in extra else None
