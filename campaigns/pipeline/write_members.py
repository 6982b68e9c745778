"""People written as contacts and as members of a list, thousands in two statements.

A column that this list lacks, or a name that it leaves empty, stays as it was known before. Who had
their data erased is not brought back, and who unsubscribed stays so. No foreign key looks after a
contact's team and a member's list and contact (ADR 19): all of them are locked here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from campaigns.models import ContactList
from campaigns.models.contact import MemberStatus
from campaigns.models.feedback import SuppressionReason
from campaigns.pipeline.clock import stamp
from campaigns.workbooks.blocks import Person, people_in

#: Lines as blocks have them: nothing is quoted, and no text is NULL.
_AS_LINES = r"(FORMAT csv, DELIMITER E'\t', QUOTE E'\x01', NULL E'\x02')"
_LOCK = """
    SELECT 1 FROM campaigns_contactlist l JOIN accounts_team t ON t.id = l.team_id
    WHERE l.id = %(list)s AND t.id = %(team)s FOR KEY SHARE"""
_NEXT_ID = "SELECT last_value FROM campaigns_contact_id_seq"
_NEW = f"""
    COPY campaigns_contact (team_id, created_at, address, address_key, name, attributes)
    FROM STDIN {_AS_LINES}"""
_ERASED = """
    SELECT EXISTS (SELECT 1 FROM campaigns_suppression
        WHERE team_id = %(team)s AND reason = %(erased)s)"""
# Ours are those of the transaction that wrote this one of them.
_NEW_MEMBERS = """
    INSERT INTO campaigns_listmember (team_id, contact_list_id, contact_id, status, changed_at)
    SELECT %(team)s, %(list)s, c.id, %(subscribed)s, %(now)s FROM campaigns_contact c
    WHERE c.id >= %(first)s AND c.xmin = (SELECT xmin FROM campaigns_contact
        WHERE team_id = %(team)s AND address_key = %(one)s)"""
_TABLE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS campaigns_people
        (address text, key text, name text, attributes jsonb) ON COMMIT DELETE ROWS;
    TRUNCATE campaigns_people"""
_STAGED = f"COPY campaigns_people FROM STDIN {_AS_LINES}"
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
# Who was erased while the statement above waited for that contact: kept away before it was deleted.
_BROUGHT_BACK = """
    WITH gone AS (
        DELETE FROM campaigns_contact c USING campaigns_people p, campaigns_suppression s
        WHERE c.team_id = %(team)s AND c.address_key = p.key AND c.created_at = %(now)s
            AND s.team_id = c.team_id AND s.address_key = c.address_key AND s.reason = %(erased)s
        RETURNING c.id)
    DELETE FROM campaigns_listmember m USING gone WHERE m.contact_id = gone.id"""
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
_CONTROLS = re.compile(r"[\x00-\x1f]+")


class _Known(Exception):
    """Some of these people may not be written as new ones."""


def write(team_id: int, list_id: int | None, people: Sequence[Person]) -> None:
    """Within the caller's transaction; no two people of a call have the same `key`."""
    write_lines(team_id, list_id, lines_of(people))


def lines_of(people: Sequence[Person]) -> bytes:
    """As a block has them."""
    return "".join(
        "\t".join(text if text.isprintable() else _CONTROLS.sub(" ", text) for text in person)
        + "\n"
        for person in people
    ).encode()


def write_lines(team_id: int, list_id: int | None, lines: bytes, *, new: bool = False) -> bool:
    """Within the caller's transaction; no two lines have the same key.

    With `new` nobody of them should be a contact yet, which takes half the time; says whether that was so.
    """
    values = {
        "team": team_id,
        "list": list_id,
        "now": stamp(timezone.now()),
        "subscribed": MemberStatus.SUBSCRIBED.value,
        "erased": SuppressionReason.ERASED.value,
    }
    if connection.vendor != "postgresql":
        values["people"] = _as_json(people_in(lines))
        with connection.cursor() as cursor:
            cursor.execute(_SQLITE_CONTACTS, values)
            cursor.execute(_SQLITE_MEMBERS, values)
        return False
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, values)
        if cursor.fetchone() is None:
            raise ContactList.DoesNotExist
    return (new and _write_new(lines, values)) or _write_staged(lines, values)


def _write_new(lines: bytes, values: dict[str, Any]) -> bool:
    """False, and nothing is written, where somebody of them is known."""
    own = f"{values['team']}\t{values['now'].isoformat()}\t".encode()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_NEXT_ID)
            first = cursor.fetchone()[0]
            _copy(_NEW, own + lines[:-1].replace(b"\n", b"\n" + own) + b"\n")
            # Asked after the contacts: an erasure that we waited for is seen.
            cursor.execute(_ERASED, values)
            if cursor.fetchone()[0]:
                raise _Known
            one = lines.split(b"\t", 2)[1].decode()
            cursor.execute(_NEW_MEMBERS, values | {"first": first, "one": one})
    except (IntegrityError, _Known):
        return False
    return True


def _write_staged(lines: bytes, values: dict[str, Any]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_TABLE)
        _copy(_STAGED, lines)
        cursor.execute(_COPIED, values)
        cursor.execute(_BROUGHT_BACK, values)
    return False


def _copy(statement: str, lines: bytes) -> None:
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        copy.write(lines)


def _as_json(people: Sequence[Person]) -> str:
    entries = [
        f'{{"address":{json.dumps(p.address)},"key":{json.dumps(p.key)},'
        f'"name":{json.dumps(p.name)},"attributes":{p.attributes}}}'
        for p in people
    ]
    return f"[{','.join(entries)}]"
