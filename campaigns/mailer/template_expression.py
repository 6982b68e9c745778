"""What an expression inside a merge tag uses, and what it may not say."""

from dataclasses import dataclass, replace

from minijinja import Environment, TemplateError

from campaigns.mailer.template_source import EXTRA_NAMES, RESERVED
from campaigns.mailer.template_tags import Token

FILTERS = frozenset(
    [
        "default",
        "d",
        "upper",
        "lower",
        "trim",
        "title",
        "capitalize",
        "length",
        "count",
        "first",
        "last",
        "int",
        "float",
        "round",
        "abs",
        "string",
        "e",
        "escape",
    ]
)
TESTS = frozenset(
    [
        "defined",
        "undefined",
        "none",
        "string",
        "number",
        "odd",
        "even",
        "startingwith",
        "endingwith",
        "eq",
        "equalto",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "in",
    ]
)
_LOOP_ATTRIBUTES = frozenset(
    ["index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0"]
)
CELL_ATTRIBUTES = frozenset({"name", "group", "label", "value", "begins_group", "strong"})
_SIGNS = frozenset(
    ["==", "!=", "<=", ">=", "<", ">", "~", "|", ".", ",", ":", "(", ")", "[", "]", "="]
)

_SYNTAX = Environment()


@dataclass(frozen=True, slots=True)
class Use:
    """A name used at an offset of a part: an extra one or a merge field; shown there, or only asked about; and
    whether a blank value is provided for (by `default`, `or`, or an `if` that asks about it)."""

    name: str
    at: int
    extra: bool
    shown: bool
    guarded: bool


def syntax_error(code: str) -> str:
    """The engine's word for what is wrong with an expression, or nothing."""
    if not code.strip():
        return "括号里没有内容"
    try:
        _SYNTAX.undeclared_variables_in_str("{{ " + code + " }}")
    except TemplateError as error:
        return str(error.detail or error.kind)
    return ""


class Expression:
    """Reads one expression's tokens: the names used, and faults as (offset, kind, text)."""

    def __init__(self, tokens: list[Token], variables: set[str]) -> None:
        self._tokens = tokens
        self._variables = variables
        self._if_at = next((i for i, token in enumerate(tokens) if token.text == "if"), None)
        self._else_at = next(
            (i for i, token in enumerate(tokens) if token.text == "else"), len(tokens)
        )
        self.uses: list[Use] = []
        self.cell_attributes = 0
        self.faults: list[tuple[int, str, str]] = []
        for index, token in enumerate(tokens):
            if token.kind == "sign":
                self._sign(index, token)
            elif token.kind == "name":
                self._name(index, token)
        self._mark_ternary()

    def _text(self, index: int) -> str:
        return self._tokens[index].text if 0 <= index < len(self._tokens) else ""

    def _sign(self, index: int, token: Token) -> None:
        before = self._tokens[index - 1] if index else None
        follows_value = before is not None and (
            before.kind in ("name", "string", "number") or before.text in ")]"
        )
        if token.text not in _SIGNS:
            self.faults.append(
                (token.at, "operator", f'不能用“{token.text}”；列名里有符号时请写成 row["列名"]')
            )
        elif (
            token.text == "(" and follows_value and before and not self._may_call(index - 1, before)
        ):
            self.faults.append((token.at, "call", "模板里不能调用函数或方法"))

    def _may_call(self, index: int, before: Token) -> bool:
        return before.kind == "name" and (
            self._text(index - 1) in ("|", "is", "not") or before.text in RESERVED
        )

    def _name(self, index: int, token: Token) -> None:
        previous = self._text(index - 1)
        if previous == "|":
            if token.text not in FILTERS:
                self.faults.append(
                    (
                        token.at,
                        "filter",
                        f"没有“{token.text}”这个过滤器；可用：default、upper、lower、trim、round 等",
                    )
                )
        elif previous == "is" or (previous == "not" and self._text(index - 2) == "is"):
            if token.text not in TESTS and token.text != "not":
                self.faults.append((token.at, "test", f"没有“{token.text}”这个判断"))
        elif previous == ".":
            self._attribute(index, token)
        elif token.text == "row":
            self._row(index, token)
        elif token.text in ("cells", "loop") or token.text in self._variables:
            self._own_name(index, token)
        elif token.text == "self":
            self.faults.append((token.at, "attribute", "“self”不能直接使用"))
        elif token.text not in RESERVED:
            self._field(token.text, index, token.at)

    def _attribute(self, index: int, token: Token) -> None:
        owner = self._text(index - 2)
        allowed = (
            _LOOP_ATTRIBUTES
            if owner == "loop"
            else CELL_ATTRIBUTES
            if owner in self._variables
            else None
        )
        if owner == "row":
            return
        if allowed is None or self._text(index - 3) == "." or token.text not in allowed:
            self.faults.append((token.at, "attribute", f"没有“.{token.text}”这个属性"))
        elif owner != "loop":
            self.cell_attributes += 1

    def _row(self, index: int, token: Token) -> None:
        if (
            self._text(index + 1) == "["
            and self._text(index + 3) == "]"
            and self._tokens[index + 2].kind == "string"
        ):
            self._field(self._tokens[index + 2].literal, index, token.at, last=index + 3)
        elif (
            self._text(index + 1) == "."
            and index + 2 < len(self._tokens)
            and self._tokens[index + 2].kind == "name"
        ):
            self._field(self._text(index + 2), index, token.at, last=index + 2)
        else:
            self.faults.append((token.at, "row", '请写成 row["列名"]，列名加引号'))

    def _own_name(self, index: int, token: Token) -> None:
        if token.text == "cells":
            if self._text(index + 1) != "|" or self._text(index + 2) not in ("length", "count"):
                self.faults.append(
                    (token.at, "attribute", "cells 只能用在 {% for 变量 in cells %} 里")
                )
        elif self._text(index + 1) != ".":
            wanted = "loop.first" if token.text == "loop" else f"{token.text}.value"
            self.faults.append(
                (token.at, "attribute", f"“{token.text}”后面要写明取什么，例如 {wanted}")
            )

    def _field(self, name: str, index: int, at: int, last: int | None = None) -> None:
        """`last` is the index of the last token where the field is written `row["name"]`."""
        end = index if last is None else last
        asked = self._if_at is not None and self._if_at < index < self._else_at
        provided = self._text(end + 1) == "or" or (
            self._text(end + 1) == "|" and self._text(end + 2) in ("default", "d")
        )
        extra = last is None and name in EXTRA_NAMES
        self.uses.append(Use(name, at, extra, shown=not asked, guarded=provided))

    def _mark_ternary(self) -> None:
        """`a if a else "无"` provides for a blank a."""
        asked = {use.name for use in self.uses if not use.shown}
        self.uses = [replace(use, guarded=use.guarded or use.name in asked) for use in self.uses]
