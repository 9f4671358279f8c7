"""Amounts of memory and storage as Kubernetes itself writes them."""

_GIB_IN_TIB = 1024


def gib(amount: int) -> str:
    """``amount`` GiB, e.g. ``200Gi``; Kubernetes answers ``1Ti`` to ``1024Gi``: a difference in each plan."""
    whole, rest = divmod(amount, _GIB_IN_TIB)
    return f"{whole}Ti" if whole and not rest else f"{amount}Gi"
