"""Three trivial steps in kfp.local, all in one environment. Started by ``bench/startup.py``."""

from kfp import dsl, local

local.init(runner=local.SubprocessRunner(use_venv=False))


@dsl.component(install_kfp_package=False)
def nothing(after: str) -> str:
    """Does nothing."""
    return after


@dsl.pipeline
def trivial() -> str:
    """One after the other."""
    first = nothing(after="")
    second = nothing(after=first.output)
    third = nothing(after=second.output)
    return third.output


trivial()
