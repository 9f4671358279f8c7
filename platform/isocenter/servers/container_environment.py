"""What the serving container is told on a cloud, as variables (``isocenter_serving``'s options)."""

from isocenter.domain.rollout import Rollout, Variant

_KEPT = "/tmp/isocenter-capture"  # noqa: S108 - the only folder that the image's user may write to


def container_environment(rollout: Rollout, variant: Variant, service: str) -> dict[str, str]:
    """Variables of the containers of ``variant``.

    Args:
        rollout: it belongs to.
        variant: which version.
        service: whose access control stands before the container.
    """
    capture = rollout.capture
    options = {
        "access": f"fronted:{service}",
        "digest": variant.digest,
        "name": variant.model,
        "number": variant.number,
        "workers": rollout.size.cpus,
        "capture_dir": _KEPT,
        "capture_percent": capture.percent,
        "capture_limit_mib": capture.limit_mib,
    }
    return {f"ISOCENTER_SERVING_{name.upper()}": str(value) for name, value in options.items()}
