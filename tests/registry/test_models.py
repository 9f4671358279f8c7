"""The model registry, on SQLite and PostgreSQL."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from registrations import DATASET, RUN, complete_card
from sqlalchemy import text

from isocenter.audit import AuditTrail, current_actor
from isocenter.cards import ModelCard, missing_fields, revise_card
from isocenter.domain.artifact import Artifact
from isocenter.domain.model import Alias, ModelVersion
from isocenter.errors import InputError, IntegrityError, NotFoundError, PolicyError
from isocenter.home import Home
from isocenter.registry.models import ModelRegistry
from isocenter.storage.artifacts import ArtifactStore
from isocenter.storage.database import Database

Register = Callable[..., ModelVersion]


def audited(trail: AuditTrail, action: str) -> list[tuple[str, str]]:
    return [(record.object, record.outcome) for record in reversed(trail.list(action=action))]


def test_versions_are_numbered_within_their_name(register: Register, registry: ModelRegistry) -> None:
    first, second, other = register("cxr"), register("cxr"), register("hand")
    assert [v.reference for v in (first, second, other)] == ["cxr:1", "cxr:2", "hand:1"]
    assert [v.reference for v in registry.list()] == ["cxr:2", "cxr:1", "hand:1"]
    assert [v.reference for v in registry.list("hand")] == ["hand:1"]
    assert (first.dataset_digest, first.run, first.created_by) == (DATASET, RUN, current_actor())
    assert first.metrics["auroc"]["value"] == 0.93


def test_the_same_bundle_under_the_same_name_is_the_same_version(
    registry: ModelRegistry, new_bundle: Callable[[], Artifact], trail: AuditTrail
) -> None:
    bundle = new_bundle()
    facts = {"dataset_digest": DATASET, "run": RUN, "metrics": {}, "card": ModelCard()}
    first = registry.register("cxr", bundle, **facts)
    assert registry.register("cxr", bundle, **facts) == first
    assert registry.register("hand", bundle, **facts).reference == "hand:1"
    assert audited(trail, "model.register") == [("model:cxr:1", "success"), ("model:hand:1", "success")]


def test_what_is_not_in_the_store_is_not_registered(registry: ModelRegistry, trail: AuditTrail) -> None:
    from isocenter.domain.artifact import MediaType

    absent = Artifact("model", "sha256:" + "0" * 64, MediaType.BUNDLE, "/nowhere", 1)
    with pytest.raises(NotFoundError):
        registry.register("cxr", absent, dataset_digest=DATASET, run=RUN, metrics={}, card=ModelCard())
    with pytest.raises(InputError, match="can't name a model"):
        registry.register("Cxr!", absent, dataset_digest=DATASET, run=RUN, metrics={}, card=ModelCard())
    assert trail.list() == ()


def test_references_find_the_newest_a_number_an_alias_or_a_digest(
    register: Register, registry: ModelRegistry
) -> None:
    first, second = register(), register()
    registry.set_alias(first, Alias.SHADOW, "alice", "try it")
    assert registry.get("cxr") == second
    assert registry.get("cxr:1").artifact_digest == first.artifact_digest
    assert registry.get("cxr@shadow").number == 1
    assert registry.get(second.artifact_digest) == second
    assert registry.get(second.artifact_digest[:20]) == second
    assert registry.get("cxr:1").aliases == (Alias.SHADOW,)


def test_what_is_not_found_hints_at_what_is_near(register: Register, registry: ModelRegistry) -> None:
    register("chest-xray")
    with pytest.raises(NotFoundError, match="No model 'chest-xry'") as caught:
        registry.get("chest-xry")
    assert "chest-xray" in caught.value.hint
    with pytest.raises(NotFoundError, match="no version 7") as caught:
        registry.get("chest-xray:7")
    assert "versions: 1" in caught.value.hint
    with pytest.raises(NotFoundError, match="has no champion"):
        registry.get("chest-xray@champion")
    with pytest.raises(NotFoundError, match="with digest"):
        registry.get("sha256:00000000")


def test_a_digest_that_fits_several_versions_is_not_guessed(
    registry: ModelRegistry, new_bundle: Callable[[], Artifact]
) -> None:
    bundle = new_bundle()
    for name in ("cxr", "hand"):
        registry.register(name, bundle, dataset_digest=DATASET, run=RUN, metrics={}, card=ModelCard())
    with pytest.raises(InputError, match="cxr:1, hand:1"):
        registry.get(bundle.digest)


def test_an_alias_moves_and_remembers(register: Register, registry: ModelRegistry, trail: AuditTrail) -> None:
    first, second = register(), register()
    moved = registry.set_alias(first, Alias.CHALLENGER, "alice", "new")
    assert moved is not None and moved.from_number is None
    assert registry.set_alias(first, Alias.CHALLENGER, "alice", "again") is None
    registry.set_alias(second, Alias.CHALLENGER, "bob", "newer")
    history = registry.alias_history("cxr")
    assert [(m.from_number, m.number, m.actor, m.reason) for m in history] == [
        (1, 2, "bob", "newer"),
        (None, 1, "alice", "new"),
    ]
    assert registry.get("cxr@challenger") == registry.get("cxr:2")
    assert registry.get("cxr:1").aliases == ()
    assert audited(trail, "model.alias") == [("model:cxr:1", "success"), ("model:cxr:2", "success")]


def test_the_champion_is_only_promoted(register: Register, registry: ModelRegistry) -> None:
    with pytest.raises(PolicyError, match="promotion only"):
        registry.set_alias(register(), Alias.CHAMPION, "alice", "please")


def test_a_promotion_records_approval_move_and_audit(
    register: Register, registry: ModelRegistry, trail: AuditTrail
) -> None:
    register(), register()
    registry.promote("cxr:1", Alias.CHAMPION, actor="alice", reason=" first ")
    approval = registry.promote("cxr:2", Alias.CHAMPION, actor="bob", reason="better")
    assert (approval.number, approval.alias, approval.actor, approval.reason) == (
        2,
        Alias.CHAMPION,
        "bob",
        "better",
    )
    assert [(a.number, a.reason) for a in registry.approvals("cxr")] == [(2, "better"), (1, "first")]
    assert [(m.from_number, m.number) for m in registry.alias_history("cxr")] == [(1, 2), (None, 1)]
    (newest, _) = trail.list(action="model.promote")
    at = approval.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    details = {"alias": "champion", "from": 1, "reason": "better", "at": at}
    assert (newest.actor, newest.object, newest.as_json()["details"]) == ("bob", "model:cxr:2", details)
    assert trail.verify().ok


def test_a_rollback_is_a_promotion_of_the_version_before(register: Register, registry: ModelRegistry) -> None:
    register(), register()
    for number, reason in ((1, "first"), (2, "better"), (1, "2 failed at site B")):
        registry.promote(f"cxr:{number}", Alias.CHAMPION, actor="alice", reason=reason)
    assert registry.get("cxr@champion").number == 1
    assert [m.number for m in registry.alias_history("cxr")] == [1, 2, 1]


def test_a_promotion_without_reason_is_denied_and_audited(
    register: Register, registry: ModelRegistry, trail: AuditTrail
) -> None:
    register()
    with pytest.raises(PolicyError, match="needs a reason"):
        registry.promote("cxr:1", Alias.CHAMPION, actor="alice", reason=" \n")
    assert audited(trail, "model.promote") == [("model:cxr:1", "denied")]
    assert registry.approvals("cxr") == () and registry.alias_history("cxr") == ()


def test_an_incomplete_card_stops_a_promotion_and_is_named(
    register: Register, registry: ModelRegistry, trail: AuditTrail
) -> None:
    version = register(card=ModelCard(name="cxr"))
    with pytest.raises(PolicyError) as caught:
        registry.promote("cxr:1", Alias.CHAMPION, actor="alice", reason="please")
    for field in missing_fields(ModelCard()):
        assert field in caught.value.message
    assert audited(trail, "model.promote") == [("model:cxr:1", "denied")]
    registry.update_card(version, complete_card(), actor="carol")
    registry.promote("cxr:1", Alias.CHAMPION, actor="alice", reason="now complete")
    assert registry.get("cxr@champion") == registry.get("cxr:1")


def test_a_damaged_bundle_is_not_promoted(
    register: Register, registry: ModelRegistry, records_home: Home, trail: AuditTrail
) -> None:
    version = register()
    file = ArtifactStore(records_home).path(version.artifact_digest) / "model.bin"
    file.chmod(0o644)
    file.write_text("other")
    with pytest.raises(IntegrityError, match=r"'model\.bin' was changed"):
        registry.promote("cxr:1", Alias.CHAMPION, actor="alice", reason="please")
    assert audited(trail, "model.promote") == [("model:cxr:1", "failure")]


def test_a_version_that_was_changed_by_sql_is_found_out(
    register: Register, registry: ModelRegistry, database: Database
) -> None:
    first, second = register(), register()
    with database.write() as connection:
        connection.execute(text("UPDATE model_versions SET artifact_digest = 'x' WHERE number = 2"))
        connection.execute(
            text("UPDATE model_versions SET artifact_digest = :digest WHERE number = 1"),
            {"digest": second.artifact_digest},
        )
    with pytest.raises(IntegrityError, match="not what the audit trail says"):
        registry.verify(registry.get("cxr:1"))
    assert first != registry.get("cxr:1")


def test_card_revisions_are_kept_and_audited(
    register: Register, registry: ModelRegistry, trail: AuditTrail
) -> None:
    version = register(card=ModelCard(name="cxr"))
    better = revise_card(ModelCard(name="cxr"), {"source_attributes": {"details": {"developer": "Us"}}})
    assert registry.update_card(version, better, actor="carol").revision == 2
    assert registry.update_card(version, better, actor="dave").revision == 2
    assert [(r.revision, r.actor) for r in registry.card_revisions(version)] == [
        (2, "carol"),
        (1, current_actor()),
    ]
    assert registry.card(version) == better
    assert registry.get("cxr").artifact_digest == version.artifact_digest
    assert audited(trail, "model.card") == [("model:cxr:1", "success")]


REGISTER = (
    "import sys\nfrom pathlib import Path\nfrom isocenter.home import open_home\n"
    "from isocenter.cards import ModelCard\nfrom isocenter.domain.artifact import MediaType\n"
    "from isocenter.domain.model import Alias\n"
    "from isocenter.registry.opening import open_registry\n"
    "from isocenter.storage.artifacts import ArtifactStore\n"
    "home = open_home()\nregistry = open_registry(home)\n"
    "artifact = ArtifactStore(home).publish(Path(sys.argv[1]), name='model', media_type=MediaType.BUNDLE)\n"
    f"version = registry.register('cxr', artifact, dataset_digest='{DATASET}', run='{RUN}', metrics={{}},"
    " card=ModelCard())\n"
)
MOVE = "registry.set_alias(version, Alias.CHALLENGER, 'pipeline', 'registered')\n"
DIE = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"


def start(code: str, folder: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, str(folder)])


def test_processes_that_register_at_once_get_different_numbers(
    registry: ModelRegistry, tmp_path_factory: pytest.TempPathFactory, trail: AuditTrail
) -> None:
    folders = [tmp_path_factory.mktemp("bundle") for _ in range(4)]
    for folder in folders:
        (folder / "model.bin").write_text(folder.name)
    same = folders[:3] + folders[:1] + folders[3:]
    assert [process.wait() for process in [start(REGISTER + MOVE, folder) for folder in same]] == [0] * 5
    assert [version.number for version in registry.list("cxr")] == [4, 3, 2, 1]
    assert registry.get("cxr@challenger")
    assert trail.verify().ok


def test_a_kill_between_the_version_and_its_alias_is_mended_by_a_re_run(
    registry: ModelRegistry, tmp_path_factory: pytest.TempPathFactory, trail: AuditTrail
) -> None:
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "model.bin").write_text("x")
    assert start(REGISTER + DIE + MOVE, folder).wait() == -signal.SIGKILL
    assert registry.get("cxr:1").aliases == ()
    assert start(REGISTER + MOVE, folder).wait() == 0
    assert [version.reference for version in registry.list()] == ["cxr:1"]
    assert registry.get("cxr@challenger").number == 1
    assert audited(trail, "model.register") == [("model:cxr:1", "success")]


def test_a_kill_inside_the_transaction_leaves_no_version(
    registry: ModelRegistry, tmp_path_factory: pytest.TempPathFactory, trail: AuditTrail
) -> None:
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "model.bin").write_text("x")
    die_in_audit = (
        "import os, signal\nfrom isocenter.audit import AuditTrail\n"
        "AuditTrail.append = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert start(die_in_audit + REGISTER, folder).wait() == -signal.SIGKILL
    assert registry.list() == () and trail.list() == ()
    assert start(REGISTER, folder).wait() == 0
    assert [version.reference for version in registry.list()] == ["cxr:1"]


def test_the_actor_is_who_the_environment_names(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "ISOCENTER_ACTOR", "service:nightly")
    assert register().created_by == "service:nightly"
