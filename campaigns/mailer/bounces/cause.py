"""What a cause of non-delivery is made of, and how a text is searched for it."""

from dataclasses import dataclass, field

#: Characters that a gap (`…`) in a phrase may stand for.
GAP = 70


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason in sisimai's words.

    `hard` is true only where the address itself is dead. `phrases` are parts of server replies in
    lower case, blanks single; `…` is a gap of at most GAP characters. `statuses` are the enhanced
    statuses (RFC 3463) that mean this where the text says nothing; their first digit is left out.
    """

    name: str
    hard: bool = False
    phrases: tuple[str, ...] = ()
    statuses: frozenset[str] = field(default_factory=frozenset)

    def said_in(self, text: str) -> bool:
        """Whether any phrase occurs; plain searches, so that no text can make it slow."""
        return any(_occurs(phrase, text) for phrase in self.phrases)


def _occurs(phrase: str, text: str) -> bool:
    if "…" not in phrase:
        return phrase in text
    first, *rest = phrase.split("…")
    start = text.find(first)
    for _ in range(8):  # a first part that occurs often is tried a few times, not for ever
        if start < 0:
            return False
        end: int = start + len(first)
        for part in rest:
            found = text.find(part, end, end + GAP + len(part))
            if found < 0:
                break
            end = found + len(part)
        else:
            return True
        start = text.find(first, start + 1)
    return False
