"""Pipelines that were handed to a service, one JSON file each in the store's folder ``pipelines``."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isocenter.domain.digest import digest_json
from isocenter.domain.run import new_run_id
from isocenter.errors import InputError, NotFoundError
from isocenter.home import Home
from isocenter.pipelines.request_document import as_record
from isocenter.pipelines.training_request import TrainingRequest
from isocenter.storage.atomic import write_bytes

_SHORTEST = 4


@dataclass(frozen=True)
class PipelineExecution:
    """One execution.

    Args:
        id: ULID; the service knows the execution by it too.
        model: name of the model that it trains.
        pipeline: the pipeline's name.
        target: where it runs.
        format: of the compiled pipeline; names the service.
        request: the TrainingRequest as JSON, without saying where its files lie.
        dataset: digest of the DatasetVersion.
        code: digest of the training program at that time.
        keys: step -> caching key.
        digest: of the compiled pipeline.
        created_at: ISO 8601, UTC.
        external_id: the service's own name; empty until it has been taken.
        collected: whether the site has taken up its model.
    """

    id: str
    model: str
    pipeline: str
    target: str
    format: str
    request: Mapping[str, Any]
    dataset: str
    code: str
    keys: Mapping[str, str]
    digest: str
    created_at: str
    external_id: str = ""
    collected: bool = False


class ExecutionRecords:
    """The executions of one store.

    They lie beside the records, not in the database: a machine that shares only that doesn't see them.

    Args:
        home: the store.
    """

    def __init__(self, home: Home) -> None:
        self._folder = home.root / "pipelines"

    def open(self, wanted: PipelineExecution) -> PipelineExecution:
        """The execution of the same pipeline on the same target that has not been collected; else ``wanted``,
        kept from now on.
        """
        for known in self.list():
            if not known.collected and (known.target, known.digest) == (wanted.target, wanted.digest):
                return known
        self._write(wanted)
        return wanted

    def submitted(self, execution: PipelineExecution, external_id: str) -> PipelineExecution:
        """Keep the service's name of it."""
        return self._write(replace(execution, external_id=external_id))

    def collected(self, execution: PipelineExecution) -> PipelineExecution:
        """Keep that its model was taken up, or that it is not waited for any more."""
        return self._write(replace(execution, collected=True))

    def list(self) -> tuple[PipelineExecution, ...]:
        """All, newest first."""
        paths = sorted(self._folder.glob("*.json"), reverse=True) if self._folder.is_dir() else []
        return tuple(_read(path) for path in paths)

    def find(self, name: str) -> PipelineExecution:
        """The execution that ``name`` means.

        Args:
            name: its id, the beginning of it, or a model's name: then its newest.

        Raises:
            NotFoundError: there is none.
            InputError: it may be one of several.
        """
        known = self.list()
        by_id = [each for each in known if len(name) >= _SHORTEST and each.id.startswith(name.upper())]
        if len(by_id) > 1:
            raise InputError(f"{name!r} begins the ids of {len(by_id)} pipelines.", hint="Write more of it.")
        found = by_id or [each for each in known if each.model == name]
        if not found:
            raise NotFoundError(
                f"No pipeline {name!r} was submitted from this store.",
                hint="isocenter pipeline run --target ... --submit hands one to a service.",
            )
        return found[0]

    def _write(self, execution: PipelineExecution) -> PipelineExecution:
        # Not sorted: the keys are in the order of the steps.
        body = json.dumps(asdict(execution), indent=2)
        write_bytes(self._folder / f"{execution.id}.json", body.encode(), mode=0o600)
        return execution


def new_execution_id() -> str:
    """A new id; lower case where a service wants that is the service's affair."""
    return str(new_run_id())


def _read(path: Path) -> PipelineExecution:
    try:
        return PipelineExecution(**json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise InputError(f"The record {path} of a pipeline can't be read.") from error


def remember_local(home: Home, request: TrainingRequest, target: str, fingerprint: str) -> PipelineExecution:
    """Keep that a pipeline is run from here, once for the same request and target, so that its steps can be
    shown.

    Args:
        home: the store.
        request: what was asked.
        target: name of where its jobs run.
        fingerprint: of the request's source and labels.
    """
    record = as_record(request, fingerprint)
    wanted = PipelineExecution(
        id=new_execution_id(),
        model=request.name,
        pipeline="training",
        target=target,
        format="local",
        request=record,
        dataset="",
        code="",
        keys={},
        digest=digest_json(record),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return ExecutionRecords(home).open(wanted)
