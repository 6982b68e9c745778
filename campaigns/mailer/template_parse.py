"""What a template part says: the fields that it uses, and everything that it may not say.

Users write templates, so the language is small (OWASP ASVS 1.3.7): show a field, maybe through a filter of a short
list; `if`; `for … in cells`. Without calls, arithmetic and assignment nothing can grow by itself, so the size of the
output is bounded by what `Weight` counts, before anything is rendered.
"""

import re
from dataclasses import dataclass, field, replace

from campaigns.mailer.template_expression import Expression, Use, syntax_error
from campaigns.mailer.template_source import LONGEST, RESERVED, Part, TemplateFault
from campaigns.mailer.template_tags import Places, Tag, Token, scan

_FOR = re.compile(r"\s*for\s+([^\W\d]\w*)\s+in\s+cells(?:\s+if\s+(.+))?\s*", re.S)
_DEEPEST_LOOP = 2
_DEEPEST_BLOCK = 30
_MOST_BRANCHES = 50
_MOST_TOKENS = 200


@dataclass(slots=True)
class Weight:
    """What a part can grow to, by depth of loop: characters of its own, fields shown, cell attributes shown."""

    characters: list[int] = field(default_factory=lambda: [0] * (_DEEPEST_LOOP + 1))
    fields: list[int] = field(default_factory=lambda: [0] * (_DEEPEST_LOOP + 1))
    cells: list[int] = field(default_factory=lambda: [0] * (_DEEPEST_LOOP + 1))

    def characters_for(self, cells: int, longest: int, all_cells: int) -> int:
        """The most characters of output for this many cells, a longest value, and cells of that length together."""
        return sum(
            cells**depth * (self.characters[depth] + self.fields[depth] * longest)
            + (cells ** (depth - 1) * self.cells[depth] * all_cells if depth else 0)
            for depth in range(_DEEPEST_LOOP + 1)
        )

    def longest_for(self, most: int) -> int:
        """The longest value with which the output has at most `most` characters where there are no cells."""
        return (most - self.characters[0]) // max(1, self.fields[0])


@dataclass(frozen=True, slots=True)
class Parsed:
    """A part's uses, weight and faults."""

    uses: list[Use]
    weight: Weight
    faults: list[TemplateFault]


@dataclass(slots=True)
class _Frame:
    opening: str
    at: int
    variable: str = ""
    guards: frozenset[str] = frozenset()
    branches: int = 0


def parse(part: Part, source: str) -> Parsed:
    """Read one part; never raises."""
    return _Parser(part, source).parsed()


class _Parser:
    def __init__(self, part: Part, source: str) -> None:
        self._part = part
        self._source = source
        self._places = Places(source)
        self._uses: list[Use] = []
        self._weight = Weight()
        self._faults: list[TemplateFault] = []
        self._frames: list[_Frame] = []

    def parsed(self) -> Parsed:
        if len(self._source) > LONGEST[self._part]:
            self._fault(
                0, "too_long", f"超过 {LONGEST[self._part]} 个字符（现有 {len(self._source)} 个）"
            )
            return Parsed([], self._weight, self._faults)
        found = scan(self._source)
        for at in found.unclosed:
            self._fault(
                at, "unclosed", f"“{self._source[at : at + 2]}”没有对应的结束括号，或引号不成对"
            )
        position = 0
        for tag in found.tags:
            self._weigh(tag.start - position)
            position = tag.end
            self._tag(tag)
            if len(self._frames) > _DEEPEST_BLOCK:
                self._fault(tag.start, "too_deep", f"if 和 for 嵌套超过 {_DEEPEST_BLOCK} 层")
                return Parsed(self._uses, self._weight, self._faults)
        self._weigh(len(self._source) - position)
        for frame in self._frames:
            self._fault(
                frame.at,
                "nesting",
                f"{{% {frame.opening} %}} 没有对应的 {{% end{frame.opening} %}}",
            )
        return Parsed(self._uses, self._weight, self._faults)

    def _fault(self, at: int, kind: str, text: str) -> None:
        self._faults.append(TemplateFault(self._part, *self._places.of(at), kind, text))

    def _depth(self) -> int:
        return min(sum(bool(frame.variable) for frame in self._frames), _DEEPEST_LOOP)

    def _weigh(self, characters: int) -> None:
        self._weight.characters[self._depth()] += characters

    def _variables(self) -> set[str]:
        return {frame.variable for frame in self._frames if frame.variable}

    def _tag(self, tag: Tag) -> None:
        # The engine reads expressions by recursion, and ends the process where one is deep enough.
        if tag.kind != "comment" and len(tag.tokens()) > _MOST_TOKENS:
            self._fault(tag.start, "too_long", f"一个标签里最多 {_MOST_TOKENS} 个词和符号")
        elif tag.kind == "output":
            self._weigh(tag.end - tag.start)
            self._expression(tag, tag.tokens(), shown=True)
        elif tag.kind == "block":
            self._statement(tag)

    def _statement(self, tag: Tag) -> None:
        tokens = tag.tokens()
        word = tokens[0].text if tokens else ""
        if word == "for":
            self._open_loop(tag, tokens)
        elif word == "if":
            self._frames.append(_Frame("if", tag.start, guards=self._condition(tag, tokens)))
        elif word in ("elif", "else"):
            self._branch(tag, tokens, word)
        elif word in ("endif", "endfor"):
            self._close(tag, word.removeprefix("end"))
            if len(tokens) > 1:
                self._fault(tokens[1].at, "syntax", f"{word} 后面不能再有内容")
        else:
            self._fault(
                tag.start,
                "statement",
                f"不支持“{word or tag.inner.strip()[:20]}”；只能用 if、elif、else 和 for … in cells",
            )

    def _open_loop(self, tag: Tag, tokens: list[Token]) -> None:
        found = _FOR.fullmatch(tag.inner)
        if not found or found[1] in RESERVED:
            self._fault(tag.start, "loop", "循环只能写成 {% for 变量 in cells %}，后面可加 if 条件")
        if self._depth() >= _DEEPEST_LOOP:
            self._fault(tag.start, "loop", f"循环最多嵌套 {_DEEPEST_LOOP} 层")
        variable = tokens[1].text if len(tokens) > 1 and tokens[1].kind == "name" else "cell"
        self._frames.append(_Frame("for", tag.start, variable=variable))
        if found and found[2]:
            self._expression(
                tag,
                [token for token in tokens[4:] if token.text != "if"],
                shown=False,
                code=found[2],
            )

    def _branch(self, tag: Tag, tokens: list[Token], word: str) -> None:
        frame = self._frames[-1] if self._frames else None
        if not frame or (word == "elif" and frame.opening != "if"):
            self._fault(tag.start, "nesting", f"{{% {word} %}} 前面没有对应的 {{% if %}}")
            return
        if word == "else" and len(tokens) > 1:
            self._fault(tokens[1].at, "syntax", "else 后面不能再有内容（是否应为 elif？）")
        frame.branches += 1
        if frame.branches == _MOST_BRANCHES:
            self._fault(tag.start, "too_deep", f"一个 if 最多 {_MOST_BRANCHES} 个分支")
        frame.guards = self._condition(tag, tokens) if word == "elif" else frozenset()

    def _condition(self, tag: Tag, tokens: list[Token]) -> frozenset[str]:
        before = len(self._uses)
        code = tag.inner.lstrip()[len(tokens[0].text) :]
        self._expression(tag, tokens[1:], shown=False, code=code)
        return frozenset(use.name for use in self._uses[before:])

    def _close(self, tag: Tag, word: str) -> None:
        if self._frames and self._frames[-1].opening == word:
            self._frames.pop()
            return
        self._fault(tag.start, "nesting", f"{{% end{word} %}} 前面没有对应的 {{% {word} %}}")

    def _expression(
        self, tag: Tag, tokens: list[Token], *, shown: bool, code: str | None = None
    ) -> None:
        before = len(self._faults)
        reader = Expression(tokens, self._variables())
        for at, kind, text in reader.faults:
            self._fault(at, kind, text)
        error = syntax_error(tag.inner if code is None else code)
        if error and len(self._faults) == before:
            self._fault(tag.start, "syntax", f"写法有误：{error}")
        depth = self._depth()
        self._weight.fields[depth] += len(reader.uses)
        self._weight.cells[depth] += reader.cell_attributes
        around = frozenset[str]().union(*(frame.guards for frame in self._frames))
        self._uses += [
            replace(use, shown=shown and use.shown, guarded=use.guarded or use.name in around)
            for use in reader.uses
        ]
