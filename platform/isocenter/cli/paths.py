"""Paths on the command line."""

from pathlib import Path

import click

# click's own check ends with 2 (wrong usage); a path that can't be read is bad input, and ours ends with 3.
INPUT_PATH = click.Path(path_type=Path, readable=False)
