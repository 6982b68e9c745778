"""Who may open a page: `@member(Right.RELAYS)` (accounts.access, for accounts has pages too)."""

from accounts.access import View, member

__all__ = ["View", "member"]
