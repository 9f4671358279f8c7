"""Rows of the registry that somebody changes behind its back are found by the trail."""

import re
from collections.abc import Callable

import pytest
from registrations import complete_card
from sqlalchemy import text

from isocenter.audit import AuditTrail
from isocenter.cards import ModelCard, revise_card
from isocenter.domain.model import Alias, ModelVersion
from isocenter.registry.models import ModelRegistry
from isocenter.storage.database import Database

Register = Callable[..., ModelVersion]


@pytest.fixture
def busy(register: Register, registry: ModelRegistry) -> ModelRegistry:
    """Two models with versions, moved and approved aliases, and a revised card."""
    one, two = register("cxr"), register("cxr")
    other = register("hand", card=ModelCard(name="hand"))
    registry.set_alias(one, Alias.CHALLENGER, "alice", "new")
    registry.promote("cxr:1", Alias.CHAMPION, actor="alice", reason="first")
    registry.promote("cxr:1", Alias.CHAMPION, actor="bob", reason="again")
    registry.set_alias(two, Alias.CHALLENGER, "alice", "newer")
    registry.set_alias(two, Alias.CHALLENGER, "alice", "is there already")
    registry.promote("cxr:2", Alias.CHAMPION, actor="bob", reason="better")
    registry.update_card(other, complete_card("hand"), actor="carol")
    registry.update_card(two, revise_card(complete_card(), {"mi_claim": {}}), actor="carol")
    return registry


def test_an_honest_registry_agrees_with_its_trail(busy: ModelRegistry, trail: AuditTrail) -> None:
    result = trail.verify()
    assert result.ok, result.problems


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE approvals SET actor='Chief'", "the approval of cxr:1 as champion; .* otherwise: actor"),
        ("UPDATE approvals SET reason='x' WHERE id=3", "approval of cxr:2 as champion; .* otherwise: reason"),
        ("DELETE FROM approvals WHERE id=2", "approval of cxr:1 as champion; the row of approvals is gone"),
        (
            "INSERT INTO approvals (model, number, alias, actor, reason, at) "
            "SELECT model, number, 'shadow', actor, reason, at FROM approvals WHERE id=3",
            "A row of approvals is in no record of the trail: the approval of cxr:2 as shadow",
        ),
        ("DELETE FROM aliases WHERE alias='champion'", "the champion of cxr is cxr:2; none is there"),
        ("UPDATE aliases SET number=1 WHERE alias='champion'", "cxr is cxr:2; the row of aliases says cxr:1"),
        (
            "INSERT INTO aliases (model, alias, number) VALUES ('hand', 'champion', 1)",
            "hand has no champion; the row of aliases says hand:1",
        ),
        ("UPDATE alias_moves SET actor='Chief' WHERE id=1", "cxr:1 becoming challenger; .* otherwise: actor"),
        ("UPDATE alias_moves SET from_number=NULL", "becoming challenger; .* otherwise: from_number"),
        ("DELETE FROM alias_moves WHERE id=2", "cxr:1 becoming champion; the row of alias_moves is gone"),
        (
            "UPDATE model_versions SET metrics='{\"auroc\": 1}'",
            "registration of cxr:1; .* otherwise: metrics",
        ),
        (
            "UPDATE model_versions SET created_by='x' WHERE model='hand'",
            "of hand:1; .* otherwise: created_by",
        ),
        ("UPDATE model_versions SET created_at='2001-01-01 00:00:00+00:00'", "otherwise: created_at"),
        (
            "UPDATE card_revisions SET actor='x' WHERE revision=2",
            "revision 2 of the card of .* otherwise: actor",
        ),
        (
            "UPDATE card_revisions SET card='{}' WHERE model='hand'",
            "of the card of hand:1; .* otherwise: card",
        ),
        (
            "DELETE FROM card_revisions WHERE revision=2",
            "revision 2 of the card of .* card_revisions is gone",
        ),
    ],
)
def test_a_changed_row_is_named(
    busy: ModelRegistry, trail: AuditTrail, database: Database, statement: str, words: str
) -> None:
    with database.write() as connection:
        connection.execute(text(statement.replace(":", "\\:")))
    result = trail.verify()
    assert not result.ok
    assert result.trail_is_whole
    assert any(re.search(words, problem.message) for problem in result.problems), result.problems


def test_a_version_without_a_record_is_named(
    busy: ModelRegistry, trail: AuditTrail, database: Database
) -> None:
    with database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO model_versions (model, number, artifact_digest, dataset_digest, run, metrics,"
                " created_by, created_at) SELECT model, 9, 'sha256\\:x', dataset_digest, run, metrics,"
                " created_by, created_at FROM model_versions WHERE model='hand'"
            )
        )
    (problem,) = trail.verify().problems
    assert "model_versions is in no record of the trail: the registration of hand:9" in problem.message


def test_records_without_the_newer_facts_still_count(
    busy: ModelRegistry, trail: AuditTrail, monkeypatch: pytest.MonkeyPatch, register: Register
) -> None:
    """Stores whose records hold no digests and moments are not accused."""
    honest = AuditTrail.append

    def append(self: AuditTrail, event: object, connection: object = None) -> int:
        details = {k: v for k, v in event.details.items() if k not in ("at", "metrics", "card")}  # type: ignore[attr-defined]
        return honest(
            self, type(event)(event.actor, event.action, event.object, event.outcome, details), connection
        )  # type: ignore

    monkeypatch.setattr(AuditTrail, "append", append)
    register("old")
    assert trail.verify().ok
