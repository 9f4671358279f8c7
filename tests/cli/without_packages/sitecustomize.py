"""A Python where the packages named in $HIDDEN_PACKAGES are not installed, as far as it can tell."""

import importlib.metadata
import os

_hidden = os.environ["HIDDEN_PACKAGES"].split()
_distribution = importlib.metadata.distribution


def distribution(name: str) -> importlib.metadata.Distribution:
    if name in _hidden:
        raise importlib.metadata.PackageNotFoundError(name)
    return _distribution(name)


importlib.metadata.distribution = distribution
