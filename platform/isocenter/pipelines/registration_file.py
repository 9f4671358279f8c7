"""What the step register leaves in a service: a trained model on its way to the site's registry.

A service's container holds neither the site's signing key nor its records, so it can't register. It leaves
the files and this account of them in the target's bucket; the site takes them up (:mod:`.take_up`) and
believes no more of it than it can check.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from isocenter.domain.digest import digest_tree
from isocenter.domain.field_faults import field_faults
from isocenter.errors import InputError, IntegrityError
from isocenter.pipelines.places import files_of, put_files, scratch_folder

FILE = "registration.json"
VERDICT = "verdict.json"
PARTS = ("model", "output", "evaluation")


class RegistrationFile(BaseModel):
    """The account.

    Args:
        name: of the model.
        pipeline: that made it.
        keys: caching keys of the pipeline's steps.
        digests: of the file sets ``model``, ``output`` (of training) and ``evaluation``, which lie beside it.
        verdict: what the gate said.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str
    pipeline: str
    keys: dict[str, str]
    digests: dict[str, str]
    verdict: dict[str, Any]


def leave_registration(
    places: Mapping[str, str], verdict: str, facts: Mapping[str, Any], out: str
) -> RegistrationFile:
    """Bring a model's files together at ``out``, and say what they are.

    Args:
        places: of each of ``PARTS``: a directory or URI.
        verdict: directory or URI of the gate's.
        facts: ``name``, ``pipeline`` and ``keys``.
        out: directory or URI.

    Raises:
        InputError: a part is missing, or the gate did not pass the model.
    """
    with scratch_folder() as work:
        said = json.loads((files_of(verdict, _new(work / "verdict")) / VERDICT).read_bytes())
        if not said.get("passed"):
            raise InputError("The gate did not pass this model.")
        parcel = _new(work / "parcel")
        for part in PARTS:
            shutil.copytree(files_of(places[part], _new(work / part)), parcel / part)
        digests = {part: digest_tree(parcel / part) for part in PARTS}
        try:
            account = RegistrationFile.model_validate({**facts, "digests": digests, "verdict": said})
        except ValidationError as error:
            raise InputError(f"The facts are wrong: {field_faults(error, RegistrationFile)}.") from error
        (parcel / FILE).write_text(account.model_dump_json(indent=2) + "\n")
        put_files(parcel, out, last=FILE)
    return account


def read_registration(folder: Path) -> RegistrationFile:
    """The account in ``folder``, once the files beside it are what it says.

    Raises:
        InputError: there is none.
        IntegrityError: it can't be understood, or a file set is another.
    """
    try:
        account = RegistrationFile.model_validate_json((folder / FILE).read_bytes())
    except FileNotFoundError:
        raise InputError("No model has been left for the site.") from None
    except ValidationError as error:
        raise IntegrityError(
            f"What was left for the site is wrong: {field_faults(error, RegistrationFile)}."
        ) from error
    for part in PARTS:
        if digest_tree(folder / part) != account.digests.get(part):
            raise IntegrityError(f"The {part} that was left for the site is not what its account says.")
    return account


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
