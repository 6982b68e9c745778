"""One commit for what several connections have to record: the outcomes and Attempts of the messages
that were answered, together with the `sending` of those that go next (docs/adr/0015-group-commit.md).

On PostgreSQL all of it is one prepared statement, hence one round trip and one commit, however many
connections there are; on SQLite the same statements one by one in one transaction.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from campaigns.models import Claim, Delivery
from campaigns.pipeline.claim import BEGIN, begin, begin_values
from campaigns.pipeline.clock import database_clock, stamp

# An outcome of content that left is the truth, also where somebody cancelled the row after a crash
# of the database had lost its `sending`. Such a crash also gives the row back to the claim that took
# it, the `lead`.
_MAY_END = """(d.claim_id IN ({claim}, {lead})
        AND d.state || '' IN ('queued', 'deferred', 'sending', 'in_doubt')
    OR d.claim_id IS NULL AND d.state || '' = 'cancelled' AND {final})"""

# The fields of an outcome; `sealed` is bytes.
Values = Mapping[str, object]
_FIELDS = """id bigint, claim bigint, lead bigint, team bigint, relay bigint, state text,
    counted smallint, due_at timestamptz, reason text, code smallint, enhanced text,
    started_at timestamptz, ended_at timestamptz, phase text, outcome text, content_began boolean,
    final boolean, message_id text, text text, sealed text, remote text, rule text"""
_ATTEMPT = """INSERT INTO campaigns_attempt (team_id, delivery_id, relay_id, started_at, ended_at,
    phase, outcome, content_began, code, enhanced, text, sealed_text, remote_id, rule)"""

# Always true. The planner must look each row up by its id whatever it believes of the table, and no
# index has the state in this form: it expects a hundred rows of JSON, and a third of them for each of
# these, so that it reads no table as a whole.
_FEW = "id > 0 AND claim > 0 AND lead > 0"
# PostgreSQL: all rows of JSON at once.
_ENDED = f"""
WITH v AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%s::json) AS v({_FIELDS}) WHERE {_FEW}),
ended AS (
    UPDATE campaigns_delivery d
    SET state = v.state, claim_id = NULL, attempts = d.attempts + v.counted, due_at = v.due_at,
        reason = v.reason, code = v.code, enhanced = v.enhanced, changed_at = v.ended_at,
        message_id = v.message_id
    FROM v
    WHERE d.id = v.id AND {_MAY_END.format(claim="v.claim", lead="v.lead", final="v.final")}
    RETURNING d.id),
tried AS ({_ATTEMPT}
    SELECT v.team, v.id, v.relay, v.started_at, v.ended_at, v.phase, v.outcome, v.content_began,
        v.code, v.enhanced, v.text, decode(v.sealed, 'base64'), v.remote, v.rule
    FROM v {{only}})
"""  # noqa: S608 - made of constants
# As claim.BEGIN; the row becomes that claim's over whose connection it goes.
_BEGAN = f""", began AS (
    UPDATE campaigns_delivery d
    SET state = 'sending', claim_id = n.claim, changed_at = n.now, message_id = n.message_id
    FROM (SELECT * FROM json_to_recordset(%s::json) AS
        n(id bigint, claim bigint, lead bigint, message_id text, now timestamptz) WHERE {_FEW}) AS n
    WHERE d.id = n.id AND d.claim_id IN (n.claim, n.lead)
      AND d.state || '' IN ('queued', 'deferred', 'sending') AND d.deliver_until > n.now
      AND EXISTS (SELECT 1 FROM campaigns_claim c WHERE c.id = n.claim AND c.ended_at IS NULL
                  AND c.lease_until > clock_timestamp())
      AND (d.purpose IN ('test', 'resend') OR EXISTS (
            SELECT 1 FROM campaigns_campaign k
            WHERE k.id = d.campaign_id AND k.state = 'running' AND k.hold_reason = ''
              AND (k.sends_from IS NULL
                   OR k.sends_from <= clock_timestamp() AND k.sends_until > clock_timestamp())))
    RETURNING d.id)
"""  # noqa: S608 - made of constants

# One row: on SQLite, and on PostgreSQL where one connection alone has something to record.
_END = """
UPDATE campaigns_delivery AS d
SET state = %(state)s, claim_id = NULL, attempts = attempts + %(counted)s, due_at = %(due_at)s,
    reason = %(reason)s, code = %(code)s, enhanced = %(enhanced)s, changed_at = %(ended_at)s,
    message_id = %(message_id)s
WHERE id = %(id)s AND """ + _MAY_END.format(claim="%(claim)s", lead="%(lead)s", final="%(final)s")
_TRIED = (
    _ATTEMPT
    + """
VALUES (%(team)s, %(id)s, %(relay)s, %(started_at)s, %(ended_at)s, %(phase)s, %(outcome)s,
    %(content_began)s, %(code)s, %(enhanced)s, %(text)s, %(sealed)s, %(remote)s, %(rule)s)
"""
)


def write(
    outcomes: Sequence[Values],
    following: Sequence[tuple[Claim, Delivery]],
    lead: Claim,
    *,
    durable: bool,
) -> set[int]:
    """Writes the outcomes and the `sending` of the following deliveries, each over its claim's
    connection; the ids of those that may be sent.

    `durable=False` lets PostgreSQL answer before the commit is on its disk; whoever asks for that
    remembers the outcomes (written_outcomes.py). In one transaction with what surrounds it, if any.
    """
    if connection.vendor == "postgresql":
        return _in_one_statement(outcomes, following, lead, durable=durable)
    with transaction.atomic():
        for values in outcomes:
            _end_one(values, only_where_ended=False)
        return {delivery.pk for claim, delivery in following if begin(claim, delivery, lead)}


def write_again(outcomes: Sequence[Values]) -> None:
    """Writes each unless its row says that it is there."""
    if connection.vendor == "postgresql":
        if outcomes:
            _prepared(_statement(again=True), [_json(outcomes)])
        return
    for values in outcomes:
        _end_one(values, only_where_ended=True)


def _end_one(values: Values, *, only_where_ended: bool) -> None:
    plain = {
        name: stamp(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }
    with connection.cursor() as cursor:
        cursor.execute(_END, plain)
        if cursor.rowcount or not only_where_ended:
            cursor.execute(_TRIED, plain)


@cache
def _statement(*, again: bool = False, begins: bool = False, durable: bool = True) -> str:
    ended = _ENDED.format(only="JOIN ended USING (id)" if again else "")
    began = _BEGAN if begins else ""
    ids = "(SELECT array_agg(id) FROM began)" if begins else "NULL"
    how = "" if durable else ", set_config('synchronous_commit', 'off', true)"
    return f"{ended}{began} SELECT {ids}{how}"


@cache
def _single_statement(*, begins: bool, durable: bool) -> str:
    began, number = "", "NULL"
    if begins:
        began = f", began AS ({BEGIN.format(clock=database_clock())} RETURNING id)"
        number = "(SELECT id FROM began)"
    how = "" if durable else ", set_config('synchronous_commit', 'off', true)"
    return f"WITH ended AS ({_END}), tried AS ({_TRIED}) {began} SELECT {number}{how}"


def _single(
    values: Values, following: Sequence[tuple[Claim, Delivery]], lead: Claim, *, durable: bool
) -> set[int]:
    """What one connection has to record: cheaper than the same by JSON."""
    parameters = dict(values)
    for claim, delivery in following:
        parameters |= begin_values(claim, delivery, lead)
    statement = _single_statement(begins=bool(following), durable=durable)
    found = _prepared(statement, parameters)[0]
    return set() if found is None else {found}


def _in_one_statement(
    outcomes: Sequence[Values],
    following: Sequence[tuple[Claim, Delivery]],
    lead: Claim,
    *,
    durable: bool,
) -> set[int]:
    if len(outcomes) == 1 and all(claim.pk == outcomes[0]["claim"] for claim, _ in following):
        return _single(outcomes[0], following, lead, durable=durable)
    parameters = [_json(outcomes)]
    if following:
        now = timezone.now()
        begins = [
            {
                "id": delivery.pk,
                "claim": claim.pk,
                "lead": lead.pk,
                "message_id": delivery.message_id,
                "now": now,
            }
            for claim, delivery in following
        ]
        parameters.append(_json(begins))
    statement = _statement(begins=bool(following), durable=durable)
    return set(_prepared(statement, parameters)[0] or ())


def _json(rows: Sequence[Values]) -> str:
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)


def _prepared(
    statement: str, parameters: Sequence[object] | Mapping[str, object]
) -> tuple[Any, ...]:
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
