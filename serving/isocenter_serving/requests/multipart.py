"""``multipart/related; type="application/dicom"`` (PS3.18 section 8.6.1.2.1): several instances in a body."""

from collections.abc import Sequence

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from isocenter_serving.answer import Refusal
from isocenter_serving.instance import Instance
from isocenter_serving.limits import Limits
from isocenter_serving.problem import Problem

MEDIA_TYPE = "multipart/related"
_DICOM = "application/dicom"
_MOST_HEADER_BYTES = 4096


def parse_parts(body: bytes, content_type: str, limits: Limits) -> Sequence[Instance]:
    """The images in a multipart body. A part that says to be something else than DICOM is refused by itself.

    Raises:
        Problem: 400 (no boundary, or not of this form), 413 (too many parts).
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise Problem(400, "malformed", "The Content-Type has no boundary.")
    parts = _Parts(limits.images)
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except (MultipartParseError, ValueError):
        raise Problem(400, "malformed", "The body is not multipart as its Content-Type says.") from None
    if not parts.ended or not parts.found:
        raise Problem(400, "malformed", "The body ends before its last boundary, or has no part.")
    return parts.found


class _Parts:
    """Collects parts from the parser's callbacks, each of which gets a piece of the body and its bounds."""

    def __init__(self, most: int) -> None:
        self.found: list[Instance] = []
        self.ended = False
        self._most = most
        self._data: list[bytes] = []
        self._name, self._value, self._type = b"", b"", b""

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_part_data": lambda data, start, end: self._data.append(data[start:end]),
            "on_part_end": self._end,
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_end": self._on_end,
        }

    def _begin(self) -> None:
        if len(self.found) >= self._most:
            raise Problem(413, "too-many-images", f"A request has at most {self._most} images here.")
        self._data, self._type = [], b""

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._name = self._bounded(self._name + data[start:end])

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value = self._bounded(self._value + data[start:end])

    def _on_header(self) -> None:
        if self._name.lower() == b"content-type":
            self._type = self._value
        self._name, self._value = b"", b""

    def _bounded(self, header: bytes) -> bytes:
        if len(header) > _MOST_HEADER_BYTES:
            raise Problem(400, "malformed", "A part's header is too long.")
        return header

    def _end(self) -> None:
        kind, _ = parse_options_header(self._type)
        if kind.decode("latin-1").lower() not in ("", _DICOM):
            message = f"A part's Content-Type must be {_DICOM}."
            self.found.append(Instance(fault=Refusal("not-dicom", message)))
        else:
            self.found.append(Instance(dicom=b"".join(self._data)))

    def _on_end(self) -> None:
        self.ended = True
