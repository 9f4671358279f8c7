"""Which deployments a pull request is checked for: those that have a settings file. `make plan-matrix`.

Takes GITHUB_OUTPUT from the environment and writes `matrix` to it, a list of clouds and names. Needs only
Python: name and cloud must stand on lines of their own, as `isocenter target init` writes them. Where they
don't, it fails, so that no deployment is left out unseen.
"""

import json
import os
import re
import sys
from pathlib import Path

FOLDER = Path("deployments")
FIELDS = {"cloud": "aws|gcp|azure|onprem", "name": "[a-z][a-z0-9-]{1,18}[a-z0-9]"}
# What comes with the repository to be read; checked where its owner has no deployment yet.
EXAMPLE = "-example"


def field(path: Path, text: str, name: str) -> str:
    """The value of a field of the whole deployment."""
    found = re.findall(rf"^{name}:[ \t]+([\"']?)({FIELDS[name]})\1[ \t]*(?:#.*)?$", text, re.MULTILINE)
    if len(found) != 1:
        sys.exit(f"{path}: the field {name} must stand once, rightly, on a line of its own: `{name}: ...`.")
    return str(found[0][1])


def deployments(folder: Path) -> list[dict[str, str]]:
    """Cloud and name of each settings file; of the examples only where nothing else is there."""
    paths = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    texts = {path: path.read_text(encoding="utf-8-sig", errors="replace") for path in paths}
    found = [{name: field(path, text, name) for name in FIELDS} for path, text in texts.items()]
    own = [each for each in found if not each["name"].endswith(EXAMPLE)]
    return own or found


def main() -> None:
    """Write the matrix."""
    found = deployments(FOLDER)
    if not found:
        sys.exit(f"There is no settings file in {FOLDER}/: `isocenter target init --cloud CLOUD` writes one.")
    line = "matrix=" + json.dumps(found)
    if os.environ.get("GITHUB_OUTPUT"):
        with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
            output.write(line + "\n")
    print(line)


if __name__ == "__main__":
    main()
