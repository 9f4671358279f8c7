"""Where the program is: the one answer to what each training service tells its container in its own way.

The table of services is in docs/decisions/container.md; each has one module here.
"""

from collections.abc import Mapping, Sequence

from isocenter.errors import InputError
from isocenter_training.contract import azureml, kubernetes, local, sagemaker, vertex
from isocenter_training.contract.arguments import parse_arguments
from isocenter_training.contract.assignment import Service, context_of
from isocenter_training.contract.base import Remote, RunContext

__all__ = ["Remote", "RunContext", "Service", "detect", "recognise"]

# Azure ML and Vertex AI may themselves run on Kubernetes.
_SERVICES: tuple[Service, ...] = (sagemaker, azureml, vertex, kubernetes, local)


def detect(environ: Mapping[str, str], argv: Sequence[str] = ("train",)) -> RunContext:
    """The context of this process. Output directories of this machine are made; nothing is fetched.

    Args:
        environ: normally ``os.environ``. $ISOCENTER_SERVICE names the service; without it, the service is
            recognised by what it leaves.
        argv: arguments of the program, without its name.

    Raises:
        InputError: something is missing or malformed.
    """
    arguments = parse_arguments(argv)
    service, _ = recognise(environ)
    return context_of(service.assignment(environ, arguments), environ)


def recognise(environ: Mapping[str, str]) -> tuple[Service, str]:
    """The service that started this process, and what tells so.

    Raises:
        InputError: $ISOCENTER_SERVICE names one that isn't known.
    """
    named = environ.get("ISOCENTER_SERVICE", "")
    if named:
        known = {service.NAME: service for service in _SERVICES}
        if named not in known:
            raise InputError(f"ISOCENTER_SERVICE is {named!r}; known: {', '.join(known)}.")
        return known[named], "ISOCENTER_SERVICE"
    found = ((service, service.recognise(environ)) for service in _SERVICES)
    return next((service, sign) for service, sign in found if sign)
