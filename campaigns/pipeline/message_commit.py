"""One commit a message: its outcome and Attempt, together with the `sending` of the next one.

On PostgreSQL the three are one prepared statement, hence one round trip; on SQLite the same three
in one transaction.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connection, transaction

from campaigns.models import Claim, Delivery
from campaigns.pipeline.claim import BEGIN, begin, begin_values
from campaigns.pipeline.clock import database_clock

# An outcome of content that left is the truth, also where somebody cancelled the row after a crash
# of the database had lost its `sending`.
END = """
UPDATE campaigns_delivery
SET state = %s, claim_id = NULL, attempts = attempts + %s, due_at = %s, reason = %s, code = %s,
    enhanced = %s, changed_at = %s, message_id = %s
WHERE id = %s AND (claim_id = %s AND state IN ('queued', 'deferred', 'sending', 'in_doubt')
                   OR claim_id IS NULL AND state = 'cancelled' AND %s)
"""
ATTEMPT = """
INSERT INTO campaigns_attempt (team_id, delivery_id, relay_id, started_at, ended_at, phase, outcome,
    content_began, code, enhanced, text, sealed_text, remote_id)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

# The parameters of END and of ATTEMPT.
Values = tuple[list[object], list[object]]


def write(claim: Claim, values: Values, following: Delivery | None, *, durable: bool) -> bool:
    """Writes both and, if there is a following one, its `sending`: True if that one may be sent.

    `durable=False` lets PostgreSQL answer before the commit is on its disk; whoever asks for that
    remembers the values (written_outcomes.py). In one transaction with what surrounds it, if any.
    """
    if connection.vendor == "postgresql":
        return _in_one_statement(claim, values, following, durable=durable)
    ended, attempt = values
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(END, ended)
        cursor.execute(ATTEMPT, attempt)
        return following is not None and begin(claim, following)


def write_again(values: Values) -> None:
    """Writes them unless the row says that they are there."""
    ended, attempt = values
    with connection.cursor() as cursor:
        cursor.execute(END, ended)
        if cursor.rowcount:
            cursor.execute(ATTEMPT, attempt)


@cache
def _statement(*, follows: bool, durable: bool) -> str:
    began, number = "", "0"
    if follows:
        began = f", began AS ({BEGIN.format(clock=database_clock())} RETURNING 1)"
        number = "(SELECT count(*) FROM began)"
    how = "" if durable else ", set_config('synchronous_commit', 'off', true)"
    return f"WITH ended AS ({END}), tried AS ({ATTEMPT}) {began} SELECT {number}{how}"


def _in_one_statement(
    claim: Claim, values: Values, following: Delivery | None, *, durable: bool
) -> bool:
    parameters = [*values[0], *values[1]]
    if following is not None:
        parameters += begin_values(claim, following)
    statement = _statement(follows=following is not None, durable=durable)
    return bool(_prepared(statement, parameters)[0])


def _prepared(statement: str, parameters: list[object]) -> tuple[Any, ...]:
    """One row of a statement that the server parses and plans once a connection.

    Django binds parameters on its own side, so that each statement is parsed and planned anew.
    """
    # Late: without PostgreSQL psycopg need not be there.
    from psycopg import Cursor

    connection.ensure_connection()
    raw: Any = connection.connection
    with connection.wrap_database_errors:
        raw.prepare_threshold = 0
        with Cursor(raw) as cursor:
            row = cursor.execute(statement, parameters, prepare=True).fetchone()
    assert row is not None
    return tuple(row)
