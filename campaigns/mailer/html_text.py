"""The plain text part made from the HTML part (RFC 2046 section 5.1.4), once per template.

Merge tags survive, so a message costs a render and no HTML parse. Tables become lines: a column's width can't be
known before the values are, and mail uses tables for layout as often as for data.
"""

import re
from typing import Any

from inscriptis import get_text  # type: ignore[import-untyped]
from inscriptis.css_profiles import CSS_PROFILES  # type: ignore[import-untyped]
from inscriptis.html_properties import Display  # type: ignore[import-untyped]
from inscriptis.model.config import ParserConfig  # type: ignore[import-untyped]
from inscriptis.model.html_element import HtmlElement  # type: ignore[import-untyped]
from inscriptis.model.tag import CustomHtmlTagHandlerMapping  # type: ignore[import-untyped]

from campaigns.mailer.template_tags import Mask

#: One that is never closed goes on to the end, as for a parser.
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
#: Ends a cell until the text is made (inscriptis joins blanks); then two blanks tell it from a blank inside a cell.
_CELL_END = "\ue0ff"
_MANY_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")


def html_to_text(html: str) -> str:
    """Readable text of an HTML template, its merge tags byte for byte; a link shows its target.

    Tags in what text doesn't show (style, attributes other than a link's target, comments) are left out.
    """
    mask = Mask(html)
    masked = _COMMENT.sub("", mask.masked())
    masked = re.sub(r"(?=</t[dh]\b)", _CELL_END, masked, flags=re.I)
    if not masked.strip():
        return ""
    text = get_text(f"<html><body>{masked}</body></html>", _config()).strip()
    lines = [re.sub(rf"\s*{_CELL_END}\s*", "  ", line).strip() for line in text.split("\n")]
    return _MANY_EMPTY_LINES.sub("\n\n", without_tag_lines(mask.restored("\n".join(lines))))


def without_tag_lines(text: str) -> str:
    """A line that holds nothing but a block tag or a comment loses its line end, so that a loop leaves no empty lines."""
    mask = Mask(text)
    alone = re.compile(rf"^[ \t]*((?:{mask.pattern.pattern}[ \t]*)+)\n", re.M)

    def joined(found: re.Match[str]) -> str:
        words = list(mask.pattern.finditer(found[1]))
        if any(mask.tag(word).kind == "output" for word in words):
            return found[0]
        return "".join(word[0] for word in words)

    return mask.restored(alone.sub(joined, mask.masked()))


def tidy(text: str) -> str:
    """At most one empty line at a time, none at the ends, no blanks at line ends."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return _MANY_EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip("\n") + "\n"


def _config() -> ParserConfig:
    css = dict(CSS_PROFILES["strict"])
    css["table"] = css["tr"] = css["tbody"] = css["thead"] = HtmlElement(display=Display.block)
    css["td"] = css["th"] = HtmlElement(display=Display.inline)
    as_css_says = dict.fromkeys(("table", "tr", "td", "th"), _nothing)
    return ParserConfig(
        css=css,
        display_links=True,
        custom_html_tag_handler_mapping=CustomHtmlTagHandlerMapping(as_css_says, as_css_says),
    )


def _nothing(_state: Any, _attributes: Any = None) -> None:
    """In place of inscriptis' own table layout, which pads columns by what stands in the template."""
