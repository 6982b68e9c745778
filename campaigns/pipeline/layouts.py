"""Layouts: how a campaign's payslips are drawn, made from a workbook's columns and changed by HR step by step.

A launch freezes the layout with the content; until then a draft is drawn by the layout as it stands.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Team, User
from campaigns.documents.layout import Layout, from_json
from campaigns.documents.layout_guess import Part, guess, part_of
from campaigns.documents.logo import LARGEST as LARGEST_LOGO
from campaigns.documents.logo import LogoFault, inspect
from campaigns.mailer.attachment import Picture
from campaigns.mailer.payslip_template import LOGO_ID, Look, laid_out_payslip
from campaigns.mailer.template import Cell, Rendered, Renderer, TemplateSource
from campaigns.models import Campaign, PayslipLayout, Workbook, WorkbookRow

__all__ = ["LARGEST_LOGO", "Drawn", "Layout", "LogoFault"]

# Changes that can be undone.
MOST_UNDONE = 50
# What a preview without a workbook shows.
_SAMPLE = {Part.PERSON: "示例", Part.TIME: "22", Part.OTHER: "—"}
_SAMPLE_AMOUNT = "1,234.00"


@dataclass(frozen=True)
class Drawn:
    """A layout with its picture's bytes (b"" without one)."""

    layout: Layout
    logo: bytes = b""

    def source(self) -> TemplateSource:
        """The mail that the layout makes; its subject is the campaign's name."""
        layout, palette = self.layout, self.layout.palette
        size = None
        if self.logo:
            found = inspect(self.logo)
            size = (found.width, found.height)
        look = Look(
            layout.company, layout.note, palette.strong, palette.soft, palette.dark, logo=size
        )
        return laid_out_payslip(look)

    def pictures(self, html: str) -> list[Picture]:
        """What the HTML shows by `cid:`."""
        if not self.logo or f"cid:{LOGO_ID}" not in html:
            return []
        return [Picture(LOGO_ID, inspect(self.logo).media_type, self.logo)]

    def for_a_page(self, html: str) -> str:
        """The HTML with its picture in it, where no message carries it."""
        if not self.logo:
            return html
        data = base64.b64encode(self.logo).decode("ascii")
        return html.replace(f"cid:{LOGO_ID}", f"data:{inspect(self.logo).media_type};base64,{data}")

    def cells(self, values: dict[str, str]) -> list[Cell]:
        """One person's cells as a template loops over them; raises LayoutFault."""
        return [
            Cell(column, line.value, (line.group, line.label), line.strong)
            for column, line in self.layout.arranged(values)
        ]

    def as_json(self) -> dict[str, Any]:
        return {"layout": self.layout.as_json(), "logo": base64.b64encode(self.logo).decode()}


def drawn(row: PayslipLayout) -> Drawn:
    """A stored layout as it stands."""
    return Drawn(from_json(row.content), base64.b64decode(row.logo))


def drawn_of(campaign: Campaign) -> Drawn | None:
    """What draws a campaign: frozen by its launch, or the layout of a draft; None where a template alone does."""
    if campaign.frozen_layout:
        stored = campaign.frozen_layout
        return Drawn(from_json(stored["layout"]), base64.b64decode(stored["logo"]))
    if campaign.frozen_html or campaign.layout is None:
        return None
    return drawn(campaign.layout)


def for_a_page(campaign: Campaign, html: str) -> str:
    """A message's HTML for a page of ours, its picture in it."""
    found = drawn_of(campaign)
    return found.for_a_page(html) if found else html


def columns_of(workbook: Workbook) -> list[dict[str, str]]:
    """A payroll's columns with what each is for: `role` is address, name or ""."""
    roles = {workbook.address_column: "address", workbook.name_column: "name"}
    return [
        {"name": column["name"], "role": roles.get(index, "")}
        for index, column in enumerate(workbook.columns)
    ]


def names_of(workbook: Workbook) -> list[str]:
    return [column["name"] for column in workbook.columns]


def make(*, team: Team, user: User | None, workbook: Workbook, name: str = "") -> PayslipLayout:
    """A new layout, guessed from the workbook's columns, under the name or the next free one."""
    hidden = [column["name"] for column in columns_of(workbook) if column["role"]]
    content = guess(names_of(workbook), hidden=hidden).as_json()
    return store(team=team, user=user, content=content, name=name or workbook.name)


def store(
    *, team: Team, user: User | None, content: dict[str, Any], name: str, logo: str = ""
) -> PayslipLayout:
    """A new row; a taken name gets a number."""
    stem = name.rpartition(".")[0] or name
    for number in range(1, 1000):
        free = stem[:90] if number == 1 else f"{stem[:90]} ({number})"
        try:
            with transaction.atomic():
                return PayslipLayout.objects.create(
                    team=team, name=free, content=content, logo=logo, updated_by=user
                )
        except IntegrityError:
            continue
    raise IntegrityError(stem)


def change(row: PayslipLayout, layout: Layout, user: User | None, *, version: int) -> bool:
    """Stores the layout, and what it was before for undo; False when somebody else was faster."""
    content = layout.as_json()
    if content == row.content and version == row.version:
        return True
    history = [*row.history, row.content][-MOST_UNDONE:]
    return _stored(row, user, version, content=content, history=history)


def undo(row: PayslipLayout, user: User | None, *, version: int) -> bool:
    """The last change taken back; False when there is none, or somebody else was faster."""
    if not row.history:
        return False
    return _stored(row, user, version, content=row.history[-1], history=row.history[:-1])


def _stored(row: PayslipLayout, user: User | None, version: int, **fields: Any) -> bool:
    changed = PayslipLayout.objects.filter(pk=row.pk, version=version).update(
        version=version + 1, updated_by=user, updated_at=timezone.now(), **fields
    )
    row.refresh_from_db()
    return bool(changed)


def set_logo(row: PayslipLayout, data: bytes, user: User | None) -> None:
    """Another picture, or none; raises LogoFault, also for one that no document can hold."""
    if data:
        inspect(data)
        _try(data)
    row.logo, row.updated_by = base64.b64encode(data).decode("ascii"), user
    row.save(update_fields=["logo", "updated_by", "updated_at"])


def _try(data: bytes) -> None:
    """Whether a document can be made with it: a broken picture would stop every single payslip."""
    from campaigns.documents.payslip_pdf import payslip_pdf
    from campaigns.documents.slip import DocumentFault, Slip

    try:
        payslip_pdf(Slip("", "", [], logo=data), "000000")
    except DocumentFault as fault:
        raise LogoFault("format") from fault


def row_values(workbook: Workbook, row: WorkbookRow) -> dict[str, str]:
    """A row's values by column, blank where a cell cannot be read; raises ContentDestroyed."""
    values = workbook.data_key.open_json(row.sealed)["values"]
    return {name: value or "" for name, value in zip(names_of(workbook), values, strict=False)}


def preview(
    found: Drawn, title: str, workbook: Workbook | None = None, row: WorkbookRow | None = None
) -> Rendered:
    """The mail with a real row's values, or with made-up ones; what the workbook lacks is left out here."""
    name = "李雷"
    if workbook is not None and row is not None:
        values = row_values(workbook, row)
        name = workbook.data_key.open_json(row.sealed).get("name") or ""
    else:
        values = {c: _SAMPLE.get(part_of(c), _SAMPLE_AMOUNT) for c in found.layout.names()}
    layout = found.layout.without(found.layout.missing(values))
    rendered = Renderer(found.source()).render(
        {}, rows=Drawn(layout).cells(values), extra={"title": title, "name": name}
    )
    return Rendered(rendered.subject, found.for_a_page(rendered.html), rendered.text)


def difference(layout: Layout, workbook: Workbook) -> tuple[Sequence[str], Sequence[str]]:
    """Columns that the workbook lacks, and columns that nobody has placed or hidden yet."""
    names = names_of(workbook)
    shown = [c.column for c in layout.columns() if c.hide != "always"]
    lacking = set(layout.missing(names)) & set(shown)
    return [name for name in shown if name in lacking], layout.unplaced(names)
