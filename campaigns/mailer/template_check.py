"""A template's faults, all at once, and the merge fields that it uses.

The Django side can translate faults by their `kind`; `text` is a Chinese sentence that is ready to show.
"""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches

from campaigns.mailer.encoded_words import HeaderFault, refuse_controls
from campaigns.mailer.html_faults import html_faults
from campaigns.mailer.html_text import html_to_text
from campaigns.mailer.inline import InlineFault, inline
from campaigns.mailer.template_parse import parse
from campaigns.mailer.template_source import (
    LONGEST,
    PARTS,
    Part,
    TemplateFault,
    TemplateSource,
    is_plain_name,
)
from campaigns.mailer.template_tags import Places, scan


def check(source: TemplateSource, fields: Collection[str] | None) -> list[TemplateFault]:
    """Every fault of a template, by part, line and column; an empty list means that it can be rendered.

    `fields` are the names of the merge fields that there will be; None leaves unknown ones alone. Never raises.
    """
    faults: list[TemplateFault] = []
    for part in PARTS:
        faults += _part_faults(part, source.part(part), fields)
    if not source.html.strip():
        faults.append(TemplateFault("html", 1, 1, "empty", "正文是空的"))
    if not source.subject.strip():
        faults.append(TemplateFault("subject", 1, 1, "empty", "主题是空的"))
    if len(source.html) <= LONGEST["html"]:
        faults += html_faults(source.html)
    faults += _subject_faults(source.subject)
    # What is made from the HTML is looked at only once the HTML itself is right.
    if not faults:
        faults += _derived_faults(source)
    return sorted(
        set(faults), key=lambda fault: (PARTS.index(fault.part), fault.line, fault.column)
    )


def fields_used(source: TemplateSource) -> set[str]:
    """The merge fields that a template names, also by `row["…"]`; not those that it shows by a loop over cells."""
    return {
        use.name for part in PARTS for use in parse(part, source.part(part)).uses if not use.extra
    }


def extras_used(source: TemplateSource) -> set[str]:
    """The EXTRA_NAMES that a template names, be it in a condition."""
    return {use.name for part in PARTS for use in parse(part, source.part(part)).uses if use.extra}


def empty_fields(source: TemplateSource, values: Mapping[str, str]) -> list[str]:
    """Fields that the template shows and whose value is blank or missing, in the order of their first use.

    Not those that provide for it: by `| default("无")`, `or`, or an `if` that asks for the same field.
    """
    shown = (
        use.name
        for part in PARTS
        for use in parse(part, source.part(part)).uses
        if use.shown and not use.guarded and not use.extra
    )
    return [name for name in dict.fromkeys(shown) if not values.get(name, "").strip()]


def reference(name: str) -> str:
    """How a template names a merge field: `{{ 姓名 }}`, or `{{ row["应发/基本工资"] }}` for what is no plain name."""
    if is_plain_name(name):
        return "{{ " + name + " }}"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return '{{ row["' + escaped + '"] }}'


def _part_faults(
    part: Part, source: str, fields: Collection[str] | None
) -> Iterable[TemplateFault]:
    parsed = parse(part, source)
    if fields is None:
        return parsed.faults
    places = Places(source)
    unknown = [
        TemplateFault(part, *places.of(use.at), "unknown_field", _unknown(use.name, fields))
        for use in parsed.uses
        if not use.extra and use.name not in fields
    ]
    plainly = _written_plainly(part, source, fields)
    # A column's name with a sign in it is one fault, and not the many that it is as an expression.
    ends = {places.of(tag.start): places.of(tag.end) for tag in scan(source).tags}
    others = [
        fault
        for fault in (*parsed.faults, *unknown)
        if not any(start <= (fault.line, fault.column) < ends[start] for start in plainly)
    ]
    return [*plainly.values(), *others]


def _written_plainly(
    part: Part, source: str, fields: Collection[str]
) -> dict[tuple[int, int], TemplateFault]:
    """`{{ 应发/基本工资 }}` for a column of that name, which is a division to the engine."""
    places = Places(source)
    return {
        places.of(tag.start): TemplateFault(
            part,
            *places.of(tag.start),
            "needs_row",
            f"“{tag.inner.strip()}”里有符号或空格，请写成 {reference(tag.inner.strip())}",
        )
        for tag in scan(source).tags
        if tag.kind == "output"
        and tag.inner.strip() in fields
        and not is_plain_name(tag.inner.strip())
    }


def _unknown(name: str, fields: Collection[str]) -> str:
    by_label = {field.rpartition("/")[2]: field for field in fields}
    close = get_close_matches(name, [*fields, *by_label], n=1, cutoff=0.5)
    if not close:
        return f"没有“{name}”这个合并字段"
    meant = close[0] if close[0] in fields else by_label[close[0]]
    return f"没有“{name}”这个合并字段；是不是“{meant}”？请写成 {reference(meant)}"


def _subject_faults(subject: str) -> Iterable[TemplateFault]:
    stripped = subject.strip()
    try:
        refuse_controls(stripped)
    except HeaderFault as fault:
        yield TemplateFault(
            "subject", 1, 1, "control", f"主题只能有一行，不能有控制字符：{fault.text}"
        )


def _derived_faults(source: TemplateSource) -> Iterable[TemplateFault]:
    try:
        inline(source.html)
    except InlineFault as fault:
        yield TemplateFault("html", 1, 1, "css", str(fault))
    if not source.text.strip() and parse("text", html_to_text(source.html)).faults:
        yield TemplateFault(
            "text", 1, 1, "text_part", "无法从 HTML 自动得出纯文本正文，请填写纯文本正文"
        )
