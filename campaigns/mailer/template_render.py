"""Rendering: a template compiled once, then one message for each row's values.

Values are data: they are strings by the time the engine sees them, are never read as a template, and are escaped in
the HTML part. Nothing that a template may say can grow by itself, so the largest output is known before rendering.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from minijinja import Environment, TemplateError

from campaigns.mailer.encoded_words import HeaderFault, refuse_controls
from campaigns.mailer.html_text import html_to_text, tidy, without_tag_lines
from campaigns.mailer.inline import inline
from campaigns.mailer.template_check import check, fields_used, reference
from campaigns.mailer.template_expression import FILTERS
from campaigns.mailer.template_parse import parse
from campaigns.mailer.template_result import (
    Cell,
    Rendered,
    RenderError,
    RenderLimits,
    TemplateFaults,
)
from campaigns.mailer.template_source import (
    EXTRA_NAMES,
    OPTIONAL_EXTRA,
    PARTS,
    Part,
    TemplateSource,
    is_plain_name,
)
from campaigns.mailer.template_tags import Places, Tag, scan

#: A character can grow to `&quot;` by escaping.
_ESCAPED = 6
_UNWANTED_FILTERS = (
    "safe",
    "replace",
    "join",
    "format",
    "indent",
    "pprint",
    "tojson",
    "urlencode",
    "map",
    "list",
)
#: NUL, which no mail may hold, and lone surrogates, which UTF-8 can't.
_UNSENDABLE = re.compile("[\0\ud800-\udfff]")
_GLOBALS = ("range", "dict", "namespace", "debug", "cycler", "joiner")
_FIELD = re.compile(
    r"""row\[\s*(["'])(?P<key>.*)\1\s*\]|row\.(?P<attribute>\w+)|(?P<name>[^\W\d]\w*)""", re.S
)


DEFAULT_LIMITS = RenderLimits()
_TEXT = {str}
_NO_EXTRA = dict.fromkeys(OPTIONAL_EXTRA, "")


class _LacksValueError(Exception):
    """The filter `default` was asked about a column that the row doesn't have."""


class Renderer:
    """A template compiled once: CSS inlined, text part made. Raises `TemplateFaults`.

    `mark` may put marks around what it finds in the compiled HTML and text (link_marks.LinkMarks.mark).
    """

    def __init__(
        self,
        source: TemplateSource,
        limits: RenderLimits = DEFAULT_LIMITS,
        mark: Callable[[str, str], tuple[str, str]] | None = None,
    ) -> None:
        faults = check(source, None)
        if faults:
            raise TemplateFaults(faults)
        self._source = source
        self._limits = limits
        self._compiled: dict[Part, str] = {
            "subject": source.subject.strip(),
            "html": inline(source.html),
            "text": without_tag_lines(source.text)
            if source.text.strip()
            else html_to_text(source.html),
        }
        if mark is not None:
            marked = mark(self._compiled["html"], self._compiled["text"])
            self._compiled["html"], self._compiled["text"] = marked
        self._weights = {part: parse(part, self._compiled[part]).weight for part in PARTS}
        self._longest_harmless = min(
            weight.longest_for(limits.work) // _ESCAPED for weight in self._weights.values()
        )
        plain = filter(is_plain_name, fields_used(source))
        self._fields = [name for name in plain if name not in EXTRA_NAMES]
        self._engine = _engine(limits.fuel)
        for part in PARTS:
            self._engine.add_template(part, self._compiled[part])

    def render(
        self,
        values: Mapping[str, str],
        *,
        rows: Sequence[Cell] = (),
        extra: Mapping[str, str] | None = None,
    ) -> Rendered:
        """One message. `values` are the merge fields by name, `rows` the cells to loop over, `extra` the EXTRA_NAMES.

        Raises `RenderError` and sends nothing half-done: a value that the template names and the row lacks is an error.
        """
        row = self._values(values)
        cells = self._cells(rows)
        others = self._values(extra or {})
        self._refuse_large(row, others, cells)
        context: dict[str, object] = {name: row[name] for name in self._fields if name in row}
        context |= _NO_EXTRA
        context |= others
        context["row"], context["cells"] = row, cells
        return Rendered(
            self._subject(self._part("subject", context)),
            self._part("html", context),
            tidy(self._part("text", context)),
        )

    def _values(self, values: Mapping[str, str]) -> dict[str, str]:
        """Exactly strings, looked at together; one by one only to name the one that is at fault."""
        if {*map(type, values), *map(type, values.values())} <= _TEXT:
            together = "".join(values.values())
            if len(together) <= self._limits.value and not _UNSENDABLE.search(together):
                return dict(values)
        return {str.__str__(name): self._value(name, value) for name, value in values.items()}

    def _value(self, name: str, value: object) -> str:
        """Exactly a string: a subclass could tell the engine that it is already escaped."""
        if not isinstance(value, str):
            raise RenderError("value", "", 0, name, f"“{name}”的值不是文字")
        if len(value) > self._limits.value:
            raise RenderError("value", "", 0, name, f"“{name}”的值超过 {self._limits.value} 个字符")
        text = str.__str__(value)
        if _UNSENDABLE.search(text):
            raise RenderError(
                "value", "", 0, name, f"“{name}”的值里有无法发送的字符（NUL 或不成对的代理字符）"
            )
        return text

    def _cells(self, rows: Sequence[Cell]) -> list[dict[str, object]]:
        if len(rows) > self._limits.cells:
            raise RenderError("too_large", "", 0, "", f"列数超过 {self._limits.cells}")
        cells: list[dict[str, object]] = []
        before = ""
        for cell in rows:
            group = cell.group
            cells.append(
                {
                    "name": str.__str__(cell.name), "group": group, "label": cell.label,
                    "value": self._value(cell.name, cell.value),
                    "begins_group": int(group not in ("", before)),
                    "strong": int(cell.strong),
                }
            )  # fmt: skip
            before = group
        return cells

    def _refuse_large(
        self, row: Mapping[str, str], others: Mapping[str, str], cells: list[dict[str, object]]
    ) -> None:
        longest = max(map(len, (*row.values(), *others.values())), default=0)
        if not cells and longest <= self._longest_harmless:
            return
        all_cells = sum(len(str(cell["name"])) + len(str(cell["value"])) for cell in cells)
        for part in PARTS:
            most = self._weights[part].characters_for(
                len(cells), longest * _ESCAPED, all_cells * _ESCAPED
            )
            if most > self._limits.work:
                raise RenderError("too_large", part, 0, "", "这一行的内容太多，按模板展开后会过大")

    def _part(self, part: Part, context: Mapping[str, object]) -> str:
        try:
            text: str = self._engine.render_template(part, **context)
        except TemplateError as error:
            raise self._explained(part, error) from None
        except _LacksValueError:
            raise self._lacking(part, context) from None
        if len(text) > self._limits.output:
            raise RenderError("too_large", part, 0, "", f"展开后超过 {self._limits.output} 个字符")
        return text

    def _subject(self, text: str) -> str:
        subject = " ".join(text.split())
        if not subject:
            raise RenderError("blank_subject", "subject", 1, "", "主题展开后是空的")
        if len(subject) > self._limits.subject:
            raise RenderError(
                "too_large", "subject", 1, "", f"主题展开后超过 {self._limits.subject} 个字符"
            )
        try:
            refuse_controls(subject)
        except HeaderFault as fault:
            raise RenderError("value", "subject", 1, "", f"主题里{fault.text}") from None
        return subject

    def _explained(self, part: Part, error: TemplateError) -> RenderError:
        """The engine's error with the place in the person's own source, and never with a value."""
        span = error.range or (0, 0)
        compiled = self._compiled[part]
        at = len(compiled.encode()[: span[0]].decode(errors="ignore"))
        line = self._line(part, _tag_around(compiled, at))
        if error.kind == "UndefinedError":
            field = _field_of(compiled.encode()[span[0] : span[1]].decode(errors="ignore"))
            return RenderError(
                "missing",
                part,
                line,
                field,
                f"这一行没有“{field}”的值（模板写了 {reference(field)}）",
            )
        if error.kind == "OutOfFuel":
            return RenderError("too_large", part, line, "", "模板展开的步骤太多")
        return RenderError("template", part, line, "", f"模板无法展开（{error.kind}）")

    def _lacking(self, part: Part, context: Mapping[str, object]) -> RenderError:
        """The engine doesn't say which field a filter was given: it is the first guarded one that isn't there."""
        row = context["row"]
        uses = parse(part, self._compiled[part]).uses
        absent = (
            use
            for use in uses
            if use.guarded and not use.extra and isinstance(row, dict) and use.name not in row
        )
        use = next(absent)
        return _missing(part, self._line(part, _tag_around(self._compiled[part], use.at)), use.name)

    def _line(self, part: Part, tag: str) -> int:
        """Where the same tag first stands in the source; inlining and the making of a text part move lines."""
        written = self._source.part(part) or self._source.html
        return Places(written).of(max(written.find(tag), 0))[0]


def _missing(part: Part, line: int, field: str) -> RenderError:
    return RenderError(
        "missing", part, line, field, f"这一行没有“{field}”的值（模板写了 {reference(field)}）"
    )


def _tag_around(compiled: str, at: int) -> str:
    tag: Tag | None = next((tag for tag in scan(compiled).tags if tag.start <= at < tag.end), None)
    return compiled[tag.start : tag.end] if tag else ""


def _field_of(expression: str) -> str:
    found = _FIELD.search(expression)
    return (found["key"] or found["attribute"] or found["name"]) if found else ""


def _engine(fuel: int) -> Environment:
    engine = Environment(
        undefined_behavior="strict",
        fuel=fuel,
        auto_escape_callback=lambda name: "html" if name == "html" else None,
        pycompat=False,
    )
    for name in _GLOBALS:
        engine.remove_global(name)
    for name in _UNWANTED_FILTERS:
        if name not in FILTERS:
            engine.remove_filter(name)
    for name in ("default", "d"):
        engine.add_filter(name, _default)
    return engine


def _default(value: str | None = None, other: str = "", _blank: bool = True) -> str:
    """Stands in for a blank value, which is what a marketer means; the engine's own would for an undefined one alone.

    A row without that column stays an error: hiding it could send a payslip without its sum.
    """
    if value is None:
        raise _LacksValueError
    return other if isinstance(value, str) and not value.strip() else value
