"""People written as contacts and as members of a list, thousands in two statements.

A column that this list lacks, or a name that it leaves empty, stays as it was known before. Who had
their data erased is not brought back, and who unsubscribed stays so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from campaigns.models.contact import MemberStatus
from campaigns.models.feedback import SuppressionReason
from campaigns.pipeline.clock import stamp


class Person(NamedTuple):
    """`attributes` is the text of a JSON object; no two people of a call have the same `key`."""

    address: str
    key: str
    name: str
    attributes: str


_TABLE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS campaigns_people
        (address text, key text, name text, attributes jsonb) ON COMMIT DELETE ROWS;
    TRUNCATE campaigns_people"""
_COPIED = """
    WITH contact AS (
        INSERT INTO campaigns_contact (team_id, address, address_key, name, attributes, created_at)
        SELECT %(team)s, p.address, p.key, p.name, p.attributes, %(now)s
        FROM campaigns_people p
        WHERE NOT EXISTS (
            SELECT 1 FROM campaigns_suppression s WHERE s.team_id = %(team)s
                AND s.address_key = p.key AND s.reason = %(erased)s)
        ON CONFLICT (team_id, address_key) DO UPDATE SET
            name = CASE excluded.name WHEN '' THEN campaigns_contact.name ELSE excluded.name END,
            attributes = campaigns_contact.attributes || excluded.attributes
        RETURNING id)
    INSERT INTO campaigns_listmember (team_id, contact_list_id, contact_id, status, changed_at)
    SELECT %(team)s, %(list)s, contact.id, %(subscribed)s, %(now)s FROM contact
    ON CONFLICT (contact_list_id, contact_id) DO NOTHING"""
_SQLITE_CONTACTS = """
    INSERT INTO campaigns_contact (team_id, address, address_key, name, attributes, created_at)
    SELECT %(team)s, value ->> 'address', value ->> 'key', value ->> 'name',
        value -> 'attributes', %(now)s
    FROM json_each(%(people)s) WHERE NOT EXISTS (
        SELECT 1 FROM campaigns_suppression s WHERE s.team_id = %(team)s
            AND s.address_key = value ->> 'key' AND s.reason = %(erased)s)
    ON CONFLICT (team_id, address_key) DO UPDATE SET
        name = CASE excluded.name WHEN '' THEN campaigns_contact.name ELSE excluded.name END,
        attributes = json_patch(campaigns_contact.attributes, excluded.attributes)"""
# CROSS JOIN: SQLite then looks up each person by the index, and never the other way round.
_SQLITE_MEMBERS = """
    INSERT INTO campaigns_listmember (team_id, contact_list_id, contact_id, status, changed_at)
    SELECT c.team_id, %(list)s, c.id, %(subscribed)s, %(now)s
    FROM json_each(%(people)s) CROSS JOIN campaigns_contact c
    WHERE c.team_id = %(team)s AND c.address_key = json_each.value ->> 'key'
        AND NOT EXISTS (
            SELECT 1 FROM campaigns_suppression s WHERE s.team_id = %(team)s
                AND s.address_key = c.address_key AND s.reason = %(erased)s)
    ON CONFLICT (contact_list_id, contact_id) DO NOTHING"""
#: What a backslash begins in COPY's text format.
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def write(team_id: int, list_id: int | None, people: Sequence[Person]) -> None:
    """Within the caller's transaction."""
    values = {
        "team": team_id,
        "list": list_id,
        "now": stamp(timezone.now()),
        "subscribed": MemberStatus.SUBSCRIBED.value,
        "erased": SuppressionReason.ERASED.value,
    }
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_TABLE)
            _copy(people)
            cursor.execute(_COPIED, values)
            return
        values["people"] = _as_json(people)
        cursor.execute(_SQLITE_CONTACTS, values)
        cursor.execute(_SQLITE_MEMBERS, values)


def _copy(people: Sequence[Person]) -> None:
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy("COPY campaigns_people FROM STDIN") as copy,
    ):
        copy.write("".join(map(_line, people)))


def _line(person: Person) -> str:
    return (
        "\t".join(
            [
                text.translate(_ESCAPES) if "\\" in text or not text.isprintable() else text
                for text in person
            ]
        )
        + "\n"
    )


def _as_json(people: Sequence[Person]) -> str:
    entries = [
        f'{{"address":{json.dumps(p.address)},"key":{json.dumps(p.key)},'
        f'"name":{json.dumps(p.name)},"attributes":{p.attributes}}}'
        for p in people
    ]
    return f"[{','.join(entries)}]"
