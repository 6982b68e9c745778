"""Addresses that a payroll took from the contacts, before a launch: how many, and what is odd."""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.models import Campaign, Workbook
from campaigns.models.content import ContentDestroyed
from campaigns.pipeline.match_addresses import address_book, folded
from campaigns.pipeline.preflight_finding import BLOCK, INFO, WARN, Collected, Finding, Place
from campaigns.pipeline.repair import completed_by, overtaken


def matched(campaign: Campaign) -> Iterator[Finding]:
    """Nothing for a campaign whose sheet brought every address itself."""
    workbook = campaign.workbook
    choice = workbook.choices.get("match") if workbook and campaign.is_payslip else None
    if workbook is None or not choice or workbook.is_destroyed:
        return
    findings = workbook.findings.get("match") or {}
    if not findings.get("matched"):
        return
    params = {"number": findings["matched"], "attribute": choice["attribute"] or ""}
    yield Finding("addresses_matched", INFO, params)
    differs = Collected()
    for one in findings["differs"]:
        differs.add(Place(row=one["row"]))
    if differs.total:
        yield differs.finding("match_differs", WARN, fix="workbooks")
    yield from _changed(workbook, choice)


def _changed(workbook: Workbook, choice: dict) -> Iterator[Finding]:
    """Contacts whose address is another one by now than the row has."""
    book = address_book(workbook.team_id, choice["attribute"])
    changed = Collected()
    for row in workbook.rows.iterator(chunk_size=2000):
        opened = workbook.data_key.open_json(row.sealed)
        if not opened.get("matched"):
            continue
        number = folded(opened["values"][choice["column"]])
        known = book.get(number, [])
        if [one.address for one in known] != [row.address]:
            changed.add(Place(row=row.number, address=row.address))
    if changed.total:
        yield changed.finding("match_changed", WARN, fix="workbooks")


def completes(campaign: Campaign) -> Iterator[Finding]:
    """A campaign of mended rows: nobody gets a slip again who has it by now."""
    first = completed_by(campaign)
    if first is None:
        return
    yield Finding("completes", INFO, {"name": first.name})
    try:
        numbers = overtaken(campaign)
    except ContentDestroyed:
        yield Finding("completes_lost", BLOCK, {"name": first.name})
        return
    found = Collected()
    for number in numbers:
        found.add(Place(row=number))
    if found.total:
        yield found.finding("sent_meanwhile", BLOCK, fix="workbooks")
