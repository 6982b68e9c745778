"""What a mail's HTML may not hold: scripts, forms and all that mail clients remove or distrust.

Also merge tags where a value could break out of its place (an attribute without quotes), or that CSS can't carry.
"""

import re
from html.parser import HTMLParser
from itertools import islice

from campaigns.mailer.template_source import TemplateFault
from campaigns.mailer.template_tags import Places, scan

_ELEMENTS = {
    **dict.fromkeys(("script", "noscript"), "脚本"),
    **dict.fromkeys(("form", "input", "button", "select", "textarea", "option"), "表单"),
    **dict.fromkeys(
        ("iframe", "frame", "frameset", "object", "embed", "applet", "portal"), "嵌入内容"
    ),
    **dict.fromkeys(
        ("audio", "video", "source", "track", "svg", "math", "canvas", "template"),
        "邮件里不能显示的内容",
    ),
    "base": "改变所有链接的 base",
    "link": "外部样式表",
}
_URL_ATTRIBUTES = frozenset(
    [
        "href",
        "src",
        "action",
        "formaction",
        "background",
        "cite",
        "longdesc",
        "poster",
        "data",
        "xlink:href",
        "srcset",
    ]
)
_BAD_URL = re.compile(
    r"(?:javascript|vbscript|livescript|file|data(?!:image/(?:png|gif|jpeg|webp)[;,])):", re.I
)
#: A start or end tag that another one, a lone quote or the end of the text cuts short.
_CUT_SHORT = re.compile(r"</?[a-zA-Z](?:\"[^\"]*\"|'[^']*'|[^'\"<>])*+(?=[<'\"]|\Z)")
#: What HTML parsers take for a comment of some kind, at quadratic cost.
_BOGUS = re.compile(r"<(?:!(?!--|doctype\b|\[)|\?|/(?![a-zA-Z]))", re.I)
_SECTIONS = {"<!--": "-->", "<style": "</style", "<script": "</script", "<title": "</title"}

#: What browsers skip inside a scheme.
_SKIPPED_IN_URL = re.compile(r"[\x00-\x20\u200b\ufeff]")

#: Stands for a merge tag, a character for a character, so that places stay right.
_MASK = "\ue000"


def html_faults(html: str) -> list[TemplateFault]:
    """All such faults of an HTML part, in order.

    HTML whose tags don't end is not read further: guessing where they end costs HTML parsers quadratic time.
    """
    masked = _masked(html)
    endless = unfinished(masked)
    if endless:
        return endless
    finder = _Finder()
    try:
        finder.feed(masked)
        finder.close()
    except AssertionError:  # html.parser on a broken declaration such as "<![<"
        finder.faults.append(TemplateFault("html", 1, 1, "html", "“<!”没有结束"))
    return finder.faults


def unfinished(masked: str) -> list[TemplateFault]:
    """Where a tag, a comment or a section has no end, in an HTML part without merge tags."""
    places = Places(masked)
    cut_short = [
        found.start()
        for pattern in (_CUT_SHORT, _BOGUS)
        for found in islice(pattern.finditer(masked), 20)
    ]
    lowered = masked.lower()
    cut_short += [
        lowered.rfind(opening)
        for opening, closing in _SECTIONS.items()
        if lowered.rfind(opening) > lowered.rfind(closing)
    ]
    return [
        TemplateFault(
            "html", *places.of(at), "html", f"“{masked[at : at + 8].replace(_MASK, '')}”没有结束"
        )
        for at in sorted(set(cut_short))
    ]


def _masked(html: str) -> str:
    pieces, position = [], 0
    for tag in scan(html).tags:
        pieces += [html[position : tag.start], re.sub(r"[^\n]", _MASK, html[tag.start : tag.end])]
        position = tag.end
    return "".join((*pieces, html[position:]))


class _Depth:
    """How deeply elements are nested, at most; the parsers that come later recurse, and would end the process.

    An element whose end tag is missing or crossed counts from there on, since a parser may open it again and again.
    """

    _MOST = 150
    _NO_END = frozenset(
        [
            "area",
            "base",
            "br",
            "col",
            "embed",
            "hr",
            "img",
            "input",
            "link",
            "meta",
            "source",
            "track",
            "wbr",
        ]
    )
    _IMPLIED_END = frozenset(
        ["p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "colgroup"]
    )

    def __init__(self) -> None:
        self._open: list[str] = []
        self._crossed = 0

    def start(self, tag: str) -> bool:
        """Whether this element is the first that is too deep."""
        if tag in self._NO_END:
            return False
        if tag in self._IMPLIED_END:
            self._end_implied(tag)
        self._open.append(tag)
        return len(self._open) + self._crossed == self._MOST + 1

    def _end_implied(self, tag: str) -> None:
        last = len(self._open) - 1
        while last >= 0 and self._open[last] in self._IMPLIED_END and self._open[last] != tag:
            last -= 1
        if last >= 0 and self._open[last] == tag:
            del self._open[last:]

    def end(self, tag: str) -> None:
        if tag not in self._open[-self._MOST :]:
            return
        while (ended := self._open.pop()) != tag:
            self._crossed += ended not in self._IMPLIED_END


class _Finder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.faults: list[TemplateFault] = []
        self._in_style = False
        self._depth = _Depth()

    def _fault(self, kind: str, text: str) -> None:
        line, column = self.getpos()
        self.faults.append(TemplateFault("html", line, column + 1, kind, text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        if self._depth.start(tag):
            self._fault("too_deep", f"<{tag[:20]}>：嵌套过深，或前面有许多没有结束的标签")
        if tag in _ELEMENTS:
            self._fault("element", f"邮件里不能用 <{tag}>（{_ELEMENTS[tag]}）")
        unquoted = re.sub(r"\"[^\"]*\"|'[^']*'", "", self.get_starttag_text() or "")
        if _MASK in unquoted:
            self._fault(
                "tag_in_html", f"<{tag.replace(_MASK, '')[:20]}> 里的合并字段要放在属性的引号之内"
            )
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # To an HTML parser the slash of <div/> means nothing: the element stays open.
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False
        self._depth.end(tag)
        if _MASK in tag:
            self._fault("tag_in_html", "结束标签里不能有合并字段")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name.startswith("on"):
            self._fault("handler", f"不能用事件属性 {name}（邮件里的脚本不会运行，也会被当作攻击）")
        if name in _URL_ATTRIBUTES and _BAD_URL.match(_SKIPPED_IN_URL.sub("", value)):
            self._fault(
                "url", f"{name} 的链接不能是 {_SKIPPED_IN_URL.sub('', value).split(':')[0][:20]}:"
            )
        if tag == "meta" and name == "http-equiv" and value.strip().lower() == "refresh":
            self._fault("element", "邮件里不能自动跳转（meta refresh）")
        if name == "style" and re.search(r"expression\s*\(|javascript:|behavior\s*:", value, re.I):
            self._fault("style", "style 属性里不能有脚本")

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            return
        if _MASK in data:
            self._fault("style", "<style> 里不能有合并字段")
        if "@import" in data.lower():
            self._fault("style", "不能用 @import：不加载外部样式")
