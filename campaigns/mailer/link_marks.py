"""The links of a compiled template, found once and marked, so that each message's can be replaced after rendering.

A target may hold merge fields, so it is known only then. The marks carry a word that no value can know: what stands
in a contact's attributes can't pretend to be one.
"""

import html as markup
import re
from collections.abc import Callable, Iterator

from campaigns.mailer.template_tags import Mask

#: Before a link's number, between number and target, after the target: characters that nobody writes.
_BEGIN, _MIDDLE, _END = "\ue0f1", "\ue0f2", "\ue0f3"
#: `v:` is Outlook's VML, in which newsletters write their buttons.
_ANCHOR = re.compile(
    r"<(?:a|area|v:[a-z]+)(?=\s)(?:\"[^\"]*\"|'[^']*'|[^'\"<>])*?\shref\s*=\s*(?:\"([^\"]*)\"|'([^']*)')",
    re.I,
)
_WORDS = re.compile(r"[^<>]*>(.{0,400}?)</a\b", re.S | re.I)
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|(?:[a-z0-9-]+\.)+[a-z]{2,}(?:/\S*)?", re.I)
#: An address in running text ends before a blank, brackets and what Chinese text puts around it.
_NO_ADDRESS = r"\s<>\"\[\]，。；：！？、（）【】「」《》“”‘’"
_CLOSING = ".,;:!?*_~'"
#: Characters of an address in running text; a longer one is not counted anyway (tracked_links).
_LONGEST = 4000
#: Links to our own pages, by the names that the pipeline gives their addresses (template_source.EXTRA_NAMES).
_OWN_NAMES = re.compile(r"\b(?:unsubscribe_url|confirm_url)\b")
#: What replaces a link: (its number from 1, or 0 for the picture; the target after rendering) → an address.
Made = Callable[[int, str], str]


class LinkMarks:
    """`targets` are the links' targets as the template writes them, without repeats; the first is number 1. `left` are
    those of links whose words are an address.

    `word` is random, new for each; `picture` asks for a 1×1 picture at the end of the HTML. Not marked are links to
    our own pages, other schemes than http(s), and links whose words are an address themselves: if these led to
    another address, mail programs would warn of fraud.
    """

    def __init__(self, word: str, *, picture: bool) -> None:
        self.targets: list[str] = []
        self.left: set[str] = set()
        self._picture = picture
        self._begin, self._end = _BEGIN + word, _END + word
        self._mark = re.compile(f"{self._begin}(\\d+){_MIDDLE}(.*?){self._end}", re.S)

    def mark(self, html: str, text: str) -> tuple[str, str]:
        """Both compiled parts with their links marked, for the Renderer."""
        marked = self._in_html(Mask(html)), self._in_text(Mask(text))
        return (self._with_picture(marked[0]) if self._picture else marked[0]), marked[1]

    def replaced(self, html: str, text: str, made: Made) -> tuple[str, str]:
        """Both rendered parts with what `made` says; a target that it gives back stays as it was written."""
        return (
            self._mark.sub(lambda found: _in_attribute(found, made), html),
            self._mark.sub(lambda found: made(int(found[1]), found[2]), text),
        )

    def _in_html(self, mask: Mask) -> str:
        masked = mask.masked()
        pieces, position = [], 0
        for found in _ANCHOR.finditer(masked):
            group = 1 if found[1] is not None else 2
            target = mask.restored(markup.unescape(found[group]).strip())
            if not self._counts(target, mask, found[group]):
                continue
            if _is_address(_WORDS.match(masked, found.end())):
                self.left.add(target)
                continue
            pieces += [masked[position : found.start(group)], self._around(target, found[group])]
            position = found.end(group)
        return mask.restored("".join((*pieces, masked[position:])))

    def _in_text(self, mask: Mask) -> str:
        masked = mask.masked()
        pieces, position = [], 0
        for start, address in _addresses(masked, mask):
            target = mask.restored(address)
            literal = target[:4].lower() == "http" and target not in self.left
            if (literal or target in self.targets) and self._counts(target, mask, address):
                pieces += [masked[position:start], self._around(target, address)]
                position = start + len(address)
        return mask.restored("".join((*pieces, masked[position:])))

    def _counts(self, target: str, mask: Mask, masked: str) -> bool:
        begins_with_tag = bool(mask.pattern.match(masked.strip()))
        is_web = target[:8].lower().startswith(("http://", "https://"))
        return (is_web or begins_with_tag) and not _OWN_NAMES.search(target)

    def _around(self, target: str, written: str) -> str:
        if target not in self.targets:
            self.targets.append(target)
        number = self.targets.index(target) + 1
        return f"{self._begin}{number}{_MIDDLE}{written}{self._end}"

    def _with_picture(self, html: str) -> str:
        source = f"{self._begin}0{_MIDDLE}{self._end}"
        picture = f'<img src="{source}" width="1" height="1" alt="" style="border:0">'
        at = html.lower().rfind("</body")
        return html[:at] + picture + html[at:] if at >= 0 else html + picture


def _in_attribute(found: re.Match[str], made: Made) -> str:
    target = markup.unescape(found[2]).strip()
    address = made(int(found[1]), target)
    return found[2] if address == target else markup.escape(address)


def _is_address(words: re.Match[str] | None) -> bool:
    if words is None:
        return False
    shown = markup.unescape(re.sub(r"<[^>]*>", "", words[1])).strip()
    return bool(_ADDRESS.fullmatch(shown))


def _addresses(masked: str, mask: Mask) -> Iterator[tuple[int, str]]:
    """What begins as an address, or with a field that may be one, and where it stands."""
    tag = mask.pattern.pattern.replace("(", "(?:")
    beginning = re.compile(rf"(?:https?://|{tag})[^{_NO_ADDRESS}]*", re.I)
    position = 0
    while found := beginning.search(masked, position):
        word = mask.pattern.match(found[0])
        if word and mask.tag(word).kind != "output":
            position = found.start() + word.end()
            continue
        yield found.start(), _trimmed(found[0], mask)
        position = found.end()


def _trimmed(address: str, mask: Mask) -> str:
    """Without the signs of the sentence around it, and without a block tag behind it; "" for what is too long."""
    if len(address) > _LONGEST:
        return ""
    for word in mask.pattern.finditer(address):
        if mask.tag(word).kind != "output":
            address = address[: word.start()]
            break
    # Counted once: a line of brackets must not take the square of its length.
    end, open_ones = len(address), address.count(")") - address.count("(")
    while end and (address[end - 1] in _CLOSING or (address[end - 1] == ")" and open_ones > 0)):
        open_ones -= address[end - 1] == ")"
        end -= 1
    return address[:end]
