"""``python -m isocenter_infra.bindings CLOUD ...``: cut these clouds' bindings, as part of installing."""

import sys

from isocenter.targets.settings import Cloud
from isocenter_infra.bindings.cut_cache import cut_tarball
from isocenter_infra.synthesis import stack_submodules


def main() -> None:
    """Cut what the stacks of the named clouds use."""
    for cloud in sys.argv[1:]:
        for provider, submodules in stack_submodules(Cloud(cloud)).items():
            cut_tarball(provider, submodules, lambda sentence: print(sentence, file=sys.stderr))


if __name__ == "__main__":
    main()
