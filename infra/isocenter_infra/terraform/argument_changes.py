"""Which arguments of a resource change, from what to what, in words that are safe to show."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SENSITIVE, _UNKNOWN, _NONE = "(sensitive)", "(known after apply)", "(none)"
# A block or list that is added or removed is shown whole up to this length, and else by its parts.
_WHOLE = 60
# What the left name sets, the right name shows as it is, with the provider's defaults; one of them is enough.
_EFFECTIVE = {"tags": "tags_all", "labels": "effective_labels", "terraform_labels": "effective_labels"}
_Path = tuple[str | int, ...]


@dataclass(frozen=True)
class ArgumentChange:
    """One argument that changes.

    Args:
        path: e.g. ``rule[0].default_retention[0].years``; it goes on into JSON that an argument holds.
        old: its value as text of one line; ``(none)`` where there is none. Never a sensitive value.
        new: the same, and ``(known after apply)`` where the cloud decides.
        forces_replacement: it is why the resource is replaced.
    """

    path: str
    old: str
    new: str
    forces_replacement: bool = False

    def shortened(self, longest: int) -> str:
        """``path: old → new``, each cut to about ``longest`` characters; what both begin with goes first."""
        old, new = self.old, self.new
        if max(len(old), len(new)) > longest:
            same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
            skipped = max(0, same - longest // 4)
            old, new = (f"…{text[skipped:]}" if skipped else text for text in (old, new))
        return f"{_cut(self.path, longest)}: {_cut(old, longest)} → {_cut(new, longest)}"


@dataclass(frozen=True)
class _Sensitive:
    """A value that is compared and never shown."""

    value: Any


class _Unknown:
    """A value that only an apply tells."""


_TOLD_LATER = _Unknown()


def argument_changes(
    change: Mapping[str, Any], arguments: Collection[str] | None = None
) -> tuple[ArgumentChange, ...]:
    """What differs between ``before`` and ``after``: first what forces a replacement, last what is unknown.

    Args:
        change: of one resource, as ``terraform show -json`` prints it
            (https://developer.hashicorp.com/terraform/internals/json-format#change-representation).
        arguments: that the stack sets; of others, what is unknown is left out: the cloud computes it anew
            with each replacement. None: nothing is left out.
    """
    if not change.get("before") or not change.get("after"):
        return ()
    old = _marked(change["before"], change.get("before_sensitive"), None)
    new = _marked(change["after"], change.get("after_sensitive"), change.get("after_unknown"))
    repeated = _repeated(old, new)
    reasons = change.get("replace_paths") or ()
    found: list[tuple[int, ArgumentChange]] = []
    for path, a, b in _differing((), old, new):
        forces = any(_is_along(path, reason) for reason in reasons)
        is_computed = b is _TOLD_LATER and arguments is not None and path[0] not in arguments
        if path[0] in repeated or (is_computed and not forces):
            continue
        rank = 0 if forces else 2 if b is _TOLD_LATER else 1
        found.append((rank, ArgumentChange(_spelt(path), *_texts(a, b), forces)))
    return tuple(each for _, each in sorted(found, key=lambda pair: (pair[0], pair[1].path)))


def one_line(text: str) -> str:
    """``text`` with what a screen would act on (line ends, escapes, marks that turn text round) spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _marked(value: Any, sensitive: Any, unknown: Any) -> Any:
    """``value`` with its sensitive and unknown parts replaced by marks."""
    if unknown is True:
        return _TOLD_LATER
    if sensitive is True:
        return _Sensitive(value)
    if isinstance(value, Mapping) or (value is None and isinstance(unknown, Mapping) and unknown):
        hidden, later, known = _mapping(sensitive), _mapping(unknown), _mapping(value)
        names = {*known, *(name for name, told in later.items() if told)}
        return {name: _marked(known.get(name), hidden.get(name), later.get(name)) for name in names}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [
            _marked(item, _item(sensitive, index), _item(unknown, index)) for index, item in enumerate(value)
        ]
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _item(marks: Any, index: int) -> Any:
    return marks[index] if isinstance(marks, list) and index < len(marks) else None


def _is_nothing(value: Any) -> bool:
    """Providers write nothing in several ways, and not always in the same."""
    return value is None or value in ("", [], {})


def _differing(path: _Path, old: Any, new: Any) -> Iterator[tuple[_Path, Any, Any]]:
    if old == new or (_is_nothing(old) and _is_nothing(new)):
        return
    within = _parts(old, new)
    if within is None:
        yield path, old, new
        return
    for step, a, b in within:
        yield from _differing((*path, step), a, b)


def _parts(old: Any, new: Any) -> Iterable[tuple[str | int, Any, Any]] | None:
    """The parts of both that are to be compared; None: they are compared as a whole."""
    if isinstance(old, str) and isinstance(new, str):
        old, new = _parsed(old), _parsed(new)
    for kind in (dict, list):
        other: Any = kind()
        whole = [side for side in (old, new) if isinstance(side, kind)]
        if not whole or not all(isinstance(side, kind) or _is_nothing(side) for side in (old, new)):
            continue
        if len(whole) == 1 and len(_text(whole[0])) <= _WHOLE:
            return None
        old, new = (side if isinstance(side, kind) else other for side in (old, new))
        return _named(old, new) if kind is dict else _numbered(old, new)
    return None


def _named(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str | int, Any, Any]] | None:
    return [(name, old.get(name), new.get(name)) for name in {**old, **new}] if old != new else None


def _numbered(old: list[Any], new: list[Any]) -> list[tuple[str | int, Any, Any]] | None:
    """Elements that only one side has: a set's have no order, and one that is put between shifts the rest."""
    gone, came = list(enumerate(old)), []
    for index, item in enumerate(new):
        same = next((pair for pair in gone if pair[1] == item), None)
        if same is None:
            came.append((index, item))
        else:
            gone.remove(same)
    if not gone and not came:
        return None
    if len(gone) == len(came):
        return [(index, a, b) for (_, a), (index, b) in zip(gone, came, strict=True)]
    return [*((index, a, None) for index, a in gone), *((index, None, b) for index, b in came)]


def _parsed(text: str) -> Any:
    """The object or list that ``text`` is the JSON of (policies are), else ``text``."""
    try:
        value = json.loads(text) if text.lstrip()[:1] in ("{", "[") else text
    except ValueError:
        return text
    return value


def _is_along(path: _Path, reason: Sequence[Any]) -> bool:
    """Whether ``reason``, a path that forces a replacement, leads to ``path`` or into it."""
    # Steps into a set have no number.
    return all(a == b or not isinstance(b, str | int) for a, b in zip(path, reason, strict=False))


def _repeated(old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
    """Arguments that another one shows whole, on both sides."""
    return {
        name
        for name, effective in _EFFECTIVE.items()
        if isinstance(old.get(effective), dict)
        and isinstance(new.get(effective), dict)
        and _TOLD_LATER not in new[effective].values()
    }


def _spelt(path: _Path) -> str:
    spelt = ""
    for step in path:
        if isinstance(step, int):
            spelt += f"[{step}]"
        elif step.replace("-", "_").isidentifier():
            spelt += f".{step}" if spelt else step
        else:
            spelt += f"[{json.dumps(step, ensure_ascii=False)}]"
    return one_line(spelt)


def _texts(old: Any, new: Any) -> tuple[str, str]:
    """What is sensitive on one side is shown on neither."""
    if isinstance(old, _Sensitive) or isinstance(new, _Sensitive):
        return _SENSITIVE, _UNKNOWN if new is _TOLD_LATER else _SENSITIVE
    return _text(old), _text(new)


def _text(value: Any) -> str:
    if value is None:
        return _NONE
    if value is _TOLD_LATER:
        return _UNKNOWN
    if isinstance(value, str) and value:
        return one_line(value)
    return one_line(json.dumps(value, ensure_ascii=False, sort_keys=True, default=_word))


def _word(mark: Any) -> str:
    return _UNKNOWN if mark is _TOLD_LATER else _SENSITIVE
