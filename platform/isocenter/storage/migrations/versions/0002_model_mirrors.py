"""Where a model version is mirrored."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "model_mirrors",
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("target", sa.String(length=128), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("carried", sa.String(length=71), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["model", "number"],
            ["model_versions.model", "model_versions.number"],
            name="fk_model_mirrors_model_number_model_versions",
        ),
        sa.PrimaryKeyConstraint("model", "number", "target", name="pk_model_mirrors"),
    )
