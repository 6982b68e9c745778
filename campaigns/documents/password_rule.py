"""The password of one person's document: the last characters of a column of his own row.

As HR says it: 身份证号后六位, 手机尾号, 工号. Nothing here quotes a value: not in a fault, not in the hint.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

#: Fewer characters would be tried through by hand.
SHORTEST = 4
#: No rule needs more than an ID number's 18.
LONGEST_TAIL = 18
_LONGEST = 64

#: Separators, formats and dashes that people write into numbers: 138-0013-8000, "1101 0119 …".
_LEFT_OUT = frozenset({"Zs", "Zl", "Zp", "Cf", "Cc", "Pd"})


class PasswordFault(ValueError):
    """A row gives no password. `kind` is `missing`, `short` or `characters`; the caller names the cell."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


@dataclass(frozen=True, slots=True)
class PasswordRule:
    """`tail` characters from the end of the column's value; 0 takes the whole value."""

    column: str
    tail: int

    def password(self, value: str | None) -> str:
        """4 to 64 ASCII letters (upper case) and digits.

        Full-width characters count as the narrow ones (NFKC), blanks and dashes are left out. Raises `PasswordFault`.
        """
        plain = _normalised(value or "")
        if not plain:
            raise PasswordFault("missing", "密码所在的单元格是空的")
        taken = plain[-self.tail :] if self.tail else plain
        if len(taken) < max(SHORTEST, self.tail):
            raise PasswordFault("short", "密码所在的单元格太短")
        if not (taken.isascii() and taken.isalnum() and len(taken) <= _LONGEST):
            raise PasswordFault("characters", "密码只能由字母和数字组成")
        return taken

    def hint(self) -> str:
        """For the mail, in Chinese: which column and how many characters. The Django side may say it in its own words."""
        if self.tail:
            return f"打开附件的密码是您的{self.column}的后 {self.tail} 位（字母用大写）。"
        return f"打开附件的密码是您的{self.column}（字母用大写）。"


def gives_away(hint: str, password: str) -> bool:
    """Whether a hint that a person wrote holds this password."""
    return password in _normalised(hint)


def _normalised(text: str) -> str:
    narrow = unicodedata.normalize("NFKC", text).upper()
    return "".join(
        character for character in narrow if unicodedata.category(character) not in _LEFT_OUT
    )
