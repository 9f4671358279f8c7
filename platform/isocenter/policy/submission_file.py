"""A Submission that was kept in a file: what ``--dry-run`` printed, or a golden file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from isocenter.domain.run import RunId
from isocenter.domain.submission import Submission
from isocenter.errors import InputError, IntegrityError

_LARGEST_FILE = 16 << 20


@dataclass(frozen=True)
class KeptSubmission:
    """What a file says.

    Args:
        submission: the request.
        target: name of the target that it was planned for; empty where the file doesn't say it.
    """

    submission: Submission
    target: str


def read_submission(path: Path) -> KeptSubmission:
    """The Submission in the JSON or YAML file at ``path``.

    Raises:
        InputError: it can't be read, or a field is missing.
        IntegrityError: the request isn't the one that the file's digest names.
    """
    body = _mapping(path)
    for field, kind in (("backend", str), ("run", str), ("request", Mapping)):
        if not isinstance(body.get(field), kind):
            raise InputError(
                f"The file {path.name} has no {field}: it holds no request.",
                hint="isocenter pipeline run ... --dry-run > FILE writes one.",
            )
    submission = Submission(body["backend"], RunId(body["run"]), body["request"])
    if "digest" in body and body["digest"] != submission.digest:
        raise IntegrityError(
            f"The request in {path.name} isn't the one that its digest names: it was changed afterwards.",
            hint="Print it again with --dry-run; or take the field digest out, to check it as it is.",
        )
    return KeptSubmission(submission, str(body.get("target") or ""))


def _mapping(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"The file {path.name} is larger than any request.")
        # JSON is YAML, so one reader does for both.
        body = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 - a safe loader
    except OSError as error:
        raise InputError(f"The file {path.name} can't be read: {error.strerror}.") from error
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(f"The file {path.name} is neither JSON nor YAML.") from error
    if not isinstance(body, Mapping):
        raise InputError(f"The file {path.name} holds no mapping at its top, so it is no request.")
    return body


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
