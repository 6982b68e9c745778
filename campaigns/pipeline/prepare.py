"""Prepare: a template is checked, and what is rendered is derived from what a person wrote.

CSS is inlined and the text part made once per save, so that a message costs a render and no parse.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from accounts.models import Team, User
from campaigns.mailer.html_text import html_to_text, without_tag_lines
from campaigns.mailer.inline import inline
from campaigns.mailer.payslip_template import default_newsletter, default_payslip
from campaigns.mailer.template import (
    Cell,
    Rendered,
    Renderer,
    RenderError,
    TemplateFault,
    TemplateSource,
    check,
    fields_used,
    reference,
)
from campaigns.mailer.template_source import PARTS
from campaigns.models import MessageTemplate, Workbook, WorkbookRow
from campaigns.models.template import Kind
from campaigns.pipeline.compose import ADDRESS_FIELD, NAME_FIELD

# What a preview shows where no row was chosen; other fields show their own name in brackets.
SAMPLE_VALUES = {ADDRESS_FIELD: "lilei@example.com", NAME_FIELD: "李雷"}
SAMPLE_CELLS = {
    "部门": "市场部",
    "应发/基本工资": "8,000.00",
    "应发/绩效奖金": "2,500.00",
    "扣款/社保": "840.00",
    "扣款/个税": "126.50",
    "实发工资": "9,533.50",
}
SAMPLE_EXTRA = {
    "name": "李雷",
    "address": "lilei@example.com",
    "title": "活动名称",
    "sender_name": "发件人名称",
    "unsubscribe_url": "https://example.com/unsubscribe",
}


def starting_source(kind: str) -> TemplateSource:
    """The ready-made template that a new one of this kind starts from."""
    return default_payslip() if kind == Kind.PAYSLIP else default_newsletter()


def save_template(
    *,
    team: Team,
    user: User | None,
    kind: str,
    name: str,
    subject: str,
    html: str,
    text: str,
    instance: MessageTemplate | None = None,
) -> tuple[MessageTemplate | None, list[TemplateFault]]:
    """Checks and stores a template; with faults nothing is stored, and all of them are returned.

    Raises IntegrityError when the team has another template of that name.
    """
    faults = check(TemplateSource(subject, html, text), None)
    if faults:
        return None, faults
    template = instance or MessageTemplate(team=team, kind=kind)
    template.name, template.subject = name, subject
    template.html, template.text = html, text
    template.updated_by = user
    prepare(template)
    template.save()
    return template, []


def prepare(template: MessageTemplate) -> None:
    """Fills `prepared_html` and `prepared_text`; the template has passed its check."""
    template.prepared_html = inline(template.html)
    written = template.text.strip()
    template.prepared_text = (
        without_tag_lines(template.text) if written else html_to_text(template.html)
    )


def source_of_template(template: MessageTemplate) -> TemplateSource:
    """As it was written."""
    return TemplateSource(template.subject, template.html, template.text)


def faults_of(template: MessageTemplate, fields: Collection[str] | None) -> list[TemplateFault]:
    """What is wrong with a stored template, given the merge fields that there will be."""
    return check(source_of_template(template), fields)


@dataclass(frozen=True)
class Sample:
    """Whose values a preview shows: merge fields, the cells of a table, and EXTRA_NAMES."""

    values: Mapping[str, str]
    cells: Sequence[Cell]
    extra: Mapping[str, str]


def preview(
    source: TemplateSource, sample: Sample | None = None
) -> tuple[Rendered | None, list[TemplateFault]]:
    """An unsaved template with a row's values, or with made-up ones; or all its faults."""
    faults = check(source, sample and sample.values.keys())
    if faults:
        return None, faults
    if sample is None:
        named = {name: f"〔{name}〕" for name in fields_used(source)}
        cells = [Cell(name, value) for name, value in SAMPLE_CELLS.items()]
        sample = Sample({**named, **SAMPLE_VALUES, **SAMPLE_CELLS}, cells, {})
    extra = {**SAMPLE_EXTRA, **sample.extra}
    try:
        return Renderer(source).render(sample.values, rows=sample.cells, extra=extra), []
    except RenderError as error:
        part = error.part if error.part in PARTS else "html"
        return None, [TemplateFault(part, error.line or 1, 1, error.kind, error.text)]


def sample_of(workbook: Workbook, row: WorkbookRow) -> Sample:
    """A row as a sample; raises ContentDestroyed. A cell that cannot be read is left out."""
    opened = workbook.data_key.open_json(row.sealed)
    apart = (workbook.address_column, workbook.name_column)
    readable = [
        (index, column["name"], value)
        for index, (column, value) in enumerate(
            zip(workbook.columns, opened["values"], strict=False)
        )
        if value is not None
    ]
    own = {ADDRESS_FIELD: row.address, NAME_FIELD: opened.get("name") or ""}
    return Sample(
        {**own, **{name: value for _index, name, value in readable}},
        [Cell(name, value) for index, name, value in readable if index not in apart],
        {"name": own[NAME_FIELD], "address": row.address},
    )


def references(names: Collection[str]) -> list[tuple[str, str]]:
    """Each merge field with the way in which a template writes it."""
    return [(name, reference(name)) for name in dict.fromkeys([NAME_FIELD, ADDRESS_FIELD, *names])]
