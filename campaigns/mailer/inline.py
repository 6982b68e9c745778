"""CSS moved into style attributes, once per template: Outlook and some webmail ignore style sheets.

Merge tags go through the HTML parser under a mask. In running text the mask is a comment, since text between the rows
of a table would be moved out of it by the HTML standard's foster parenting.
"""

import re
from collections import Counter

import css_inline

from campaigns.mailer.template_tags import Mask

#: Where a comment would not be a comment: inside comments, tags, and elements whose content is raw text.
# What is never closed goes on to the end, as for a parser; sought anew from each beginning it would take hours.
_NOT_TEXT = re.compile(
    r"<!--.*?(?:-->|\Z)|<(style|title|script|textarea)\b.*?(?:</\1\s*>|\Z)|</?[a-zA-Z](?:\"[^\"]*\"|'[^']*'|[^'\"<>])*+>|<![^>]*>",
    re.S | re.I,
)

_TAG_COMMENT = r"<!--qzhyq*\d+z-->"
#: A table whose first child is a row; comments of the author (Outlook's conditional ones) are passed over.
_TABLE_OF_ROWS = re.compile(
    rf"(?!{_TAG_COMMENT})<!--.*?(?:-->|\Z)"
    rf"|(?P<table><table\b(?:\"[^\"]*\"|'[^']*'|[^'\"<>])*+>)(?=(?:\s|{_TAG_COMMENT})*<tr\b)",
    re.S | re.I,
)


_SHEET = re.compile(r"<style\b.*?(?:</style|\Z)", re.S | re.I)
#: Characters that style attributes can grow to where every rule meets every element.
_MOST_STYLED = 40_000_000


class InlineFault(ValueError):
    """The HTML or its CSS can't be inlined without loss; the message is a sentence in Chinese."""


def inline(html: str) -> str:
    """The same HTML, its style sheets also as style attributes; `<style>` stays for `@media`.

    Merge tags are the same byte for byte. Nothing is loaded, neither from the network nor from a file. A fragment
    becomes a whole document. Raises `InlineFault` where the CSS can't be read or a tag would be lost.
    """
    if _most_styled(html) > _MOST_STYLED:
        raise InlineFault("样式表和正文都太长，合并后会过大，请精简样式")
    mask = Mask(html)
    # The inliner keeps a cache and a style sheet loader: with a link element it would try to read a file.
    inliner = css_inline.CSSInliner(
        keep_style_tags=True, load_remote_stylesheets=False, base_url=None
    )
    try:
        inlined = inliner.inline(_explicit(_commented(mask)))
    except (css_inline.InlineError, ValueError) as error:
        raise InlineFault(f"样式无法处理：{error}") from None
    found = Counter(match[1] for match in mask.pattern.finditer(inlined))
    if any(found[str(index)] != 1 for index in range(len(mask.tags))):
        raise InlineFault("有合并字段写在样式处理不了的位置（例如整个 style 属性就是一个字段）")
    return mask.restored(re.sub(rf"<!--({mask.pattern.pattern})-->", r"\1", inlined))


def _most_styled(html: str) -> int:
    sheets = _SHEET.findall(html)
    return sum(map(len, sheets)) * html.count("<")


def _commented(mask: Mask) -> str:
    masked = mask.masked()
    pieces, position = [], 0
    for found in _NOT_TEXT.finditer(masked):
        pieces += [mask.pattern.sub(r"<!--\g<0>-->", masked[position : found.start()]), found[0]]
        position = found.end()
    return "".join((*pieces, mask.pattern.sub(r"<!--\g<0>-->", masked[position:])))


def _explicit(html: str) -> str:
    """With the elements that the parser would add by itself, which could come to stand between a tag and its end tag."""
    if not re.search(r"<body\b", html, re.I):
        html = f"<html><head></head><body>{html}</body></html>"
    return _TABLE_OF_ROWS.sub(lambda found: found[0] + "<tbody>" * bool(found["table"]), html)
