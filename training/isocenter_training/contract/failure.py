"""Leaving the reason of a failure where the service shows it, beside the end of standard error."""

from collections.abc import Mapping

from isocenter.errors import InputError
from isocenter_training.contract import recognise

# Kubernetes keeps 4,096 bytes of a termination message; SageMaker shows 1,024 characters.
_LONGEST = 2000


def leave_reason(environ: Mapping[str, str], reason: str) -> None:
    """Write ``reason`` to the file in which the service looks for it, where it has one.

    That it can't be written is no reason to hide the failure itself.
    """
    try:
        service, _ = recognise(environ)
        path = service.failure_file(environ)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(reason[:_LONGEST] + "\n", encoding="utf-8")
    except (InputError, OSError):
        return
