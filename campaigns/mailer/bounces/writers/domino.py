"""IBM Notes and Domino.

Example:
    Your message was not delivered to: a@example.jp because: User a (a@example.jp) not listed in Domino Directory
"""

from campaigns.mailer.bounces.writer import Writer

WRITER = Writer(
    name="domino",
    marks=(
        "was not delivered to:",
        "failure reasons",
        "no route found to domain",
    ),
    causes=(
        ("not listed in", "userunknown"),
        ("no route found to domain", "hostunknown"),
        ("ディレクトリのリストにありません", "userunknown"),
        ("server not found in public name & address book", "hostunknown"),
        ("cannot route mail to user", "filtered"),
        ("répertorié dans l'annuaire domino", "userunknown"),
        ("no se encuentra en el directorio de domino", "userunknown"),
        ("several matches found", "systemerror"),
    ),
)
