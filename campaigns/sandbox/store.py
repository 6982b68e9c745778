"""The sandbox's mail, as files: what arrived over SMTP, what came back, and the POP3 views of it.

`messages/` and `envelopes.jsonl` hold exactly what was taken over SMTP and nothing else, so that
they can be checked from outside. The answers that the sandbox writes itself (bounces, automatic
replies) are in `returned/` and `returned.jsonl`. POP3 deletions are a third journal: a deleted
message leaves the maildrop, but stays readable in the inbox page.
"""

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .journal import Journal

MAX_MESSAGES = 20_000
NULL_RETURN_PATH = ""

_FILE_NAME = re.compile(r"\d{8,12}\.eml")


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message and its envelope (RFC 5321); an empty `mail_from` is the null return path."""

    seq: int
    file: str
    mail_from: str
    rcpt_to: tuple[str, ...]
    at: datetime
    returned: bool = False
    user: str | None = None

    @property
    def uid(self) -> str:
        """The UIDL of RFC 1939: the same over restarts, another in a folder begun anew."""
        return f"{self.seq:08d}.{int(self.at.timestamp() * 1_000_000):x}"


class MailStore:
    """Mailboxes as files under `folder`. Thread-safe; a second instance on the same folder may
    read while one writes. The oldest messages beyond `max_messages` are removed."""

    def __init__(
        self,
        folder: Path | str,
        *,
        max_messages: int = MAX_MESSAGES,
        bounce_mailbox: str = "bounce@sandbox.test",
    ) -> None:
        self.folder = Path(folder)
        self.max_messages = max_messages
        self.bounce_mailbox = bounce_mailbox
        self._lock = threading.RLock()
        self._taken = _Shelf(self.folder, "messages", "envelopes.jsonl", returned=False)
        self._returned = _Shelf(self.folder, "returned", "returned.jsonl", returned=True)
        self._deletions = Journal(self.folder / "deleted.jsonl")
        self._deleted: set[tuple[str, str]] = set()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._next_seq = 1 + max(shelf.last_file_number() for shelf in self._shelves)

    @property
    def _shelves(self) -> tuple["_Shelf", "_Shelf"]:
        return self._taken, self._returned

    def add(
        self,
        raw: bytes,
        *,
        mail_from: str,
        rcpt_to: Iterable[str],
        returned: bool = False,
        user: str | None = None,
    ) -> StoredMessage:
        """Keep one message, byte for byte. OSError (disk full) leaves nothing half-done."""
        with self._lock:
            self._refresh()
            seq, self._next_seq = self._next_seq, self._next_seq + 1
            message = StoredMessage(
                seq=seq,
                file=f"{seq:08d}.eml",
                mail_from=mail_from,
                rcpt_to=tuple(rcpt_to),
                at=datetime.now(UTC),
                returned=returned,
                user=user,
            )
            shelf = self._returned if returned else self._taken
            shelf.put(message, raw)
            if shelf.prune(self.max_messages):
                self._forget_deletions()
            return message

    def messages(self) -> list[StoredMessage]:
        """Everything there is, oldest first, deleted over POP3 or not."""
        with self._lock:
            self._refresh()
            kept = [*self._taken.kept.values(), *self._returned.kept.values()]
        return sorted(kept, key=lambda message: message.seq)

    def get(self, seq: int) -> StoredMessage | None:
        """The message of that number, or None."""
        with self._lock:
            self._refresh()
            return self._taken.kept.get(seq) or self._returned.kept.get(seq)

    def raw(self, message: StoredMessage) -> bytes:
        """Its bytes as they came (lines end in CRLF). FileNotFoundError once it is pruned."""
        return self.path(message).read_bytes()

    def path(self, message: StoredMessage) -> Path:
        """The file that holds it."""
        return (self._returned if message.returned else self._taken).mail_folder / message.file

    def mailbox(self, address: str) -> list[StoredMessage]:
        """The maildrop of one address, oldest first, without what was deleted over POP3.

        It holds what was sent to the address or to a sub-address of it (RFC 5233). The bounce
        mailbox catches all that comes back besides, whatever the return path was.
        """
        key = address.lower()
        catches_all = key == self.bounce_mailbox.lower()
        found = [
            message
            for message in self.messages()
            if (catches_all and message.returned)
            or any(mailbox_key(rcpt) == key for rcpt in message.rcpt_to)
        ]
        with self._lock:
            return [message for message in found if (key, message.uid) not in self._deleted]

    def delete(self, address: str, uids: Iterable[str]) -> None:
        """Take these out of the maildrop of `address`; the files stay."""
        with self._lock:
            for uid in uids:
                self._deletions.append({"mailbox": address.lower(), "uid": uid})
            self._refresh()

    def close(self) -> None:
        """Give the file handles back."""
        with self._lock:
            self._deletions.close()
            for shelf in self._shelves:
                shelf.journal.close()

    def _forget_deletions(self) -> None:
        kept = {message.uid for message in self.messages()}
        still = sorted(pair for pair in self._deleted if pair[1] in kept)
        self._deletions.rewrite({"mailbox": mailbox, "uid": uid} for mailbox, uid in still)

    def _refresh(self) -> None:
        for shelf in self._shelves:
            shelf.refresh()
        replaced, records = self._deletions.read_new()
        if replaced:
            self._deleted.clear()
        self._deleted.update((str(r.get("mailbox")), str(r.get("uid"))) for r in records)


class _Shelf:
    """A folder of .eml files and the journal of their envelopes. The store holds the lock."""

    def __init__(self, folder: Path, mail_folder: str, journal: str, *, returned: bool) -> None:
        self.mail_folder = folder / mail_folder
        self.mail_folder.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(folder / journal)
        self.returned = returned
        self.kept: dict[int, StoredMessage] = {}

    def last_file_number(self) -> int:
        """Counted from the files too: one without an envelope is never written over."""
        self.refresh()
        names = (path.name for path in self.mail_folder.iterdir())
        numbers = [int(name[:-4]) for name in names if _FILE_NAME.fullmatch(name)]
        return max([0, *numbers, *self.kept])

    def put(self, message: StoredMessage, raw: bytes) -> None:
        """The envelope's line commits: before it, the file is not part of the store."""
        path = self.mail_folder / message.file
        part = path.with_suffix(".part")
        try:
            part.write_bytes(raw)
            part.replace(path)
            self.journal.append(_as_record(message))
        except OSError:
            part.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise
        self.refresh()

    def refresh(self) -> None:
        """Follow the journal."""
        replaced, records = self.journal.read_new()
        if replaced:
            self.kept.clear()
        for record in records:
            message = _from_record(record, returned=self.returned)
            if message is not None:
                self.kept[message.seq] = message

    def prune(self, max_messages: int) -> bool:
        """Remove the oldest, a tenth more than needed at once: the journal is written anew."""
        if len(self.kept) <= max_messages:
            return False
        surplus = len(self.kept) - max_messages + max_messages // 10
        doomed = sorted(self.kept)[:surplus]
        stay = [message for seq, message in sorted(self.kept.items()) if seq > doomed[-1]]
        self.journal.rewrite(map(_as_record, stay))
        for seq in doomed:
            (self.mail_folder / self.kept[seq].file).unlink(missing_ok=True)
        self.refresh()
        return True


def mailbox_key(address: str) -> str:
    """The address without case and without the detail after `+`: `bounce+x@a` is `bounce@a`."""
    local, at, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain}"


def _as_record(message: StoredMessage) -> dict[str, Any]:
    record: dict[str, Any] = {
        "file": message.file,
        "mail_from": message.mail_from,
        "rcpt_to": list(message.rcpt_to),
        "at": message.at.isoformat(),
    }
    return record | ({"user": message.user} if message.user is not None else {})


def _from_record(record: dict[str, Any], *, returned: bool) -> StoredMessage | None:
    """None for a line that is not ours; the file name never leads out of the folder."""
    try:
        file, rcpt_to, user = record["file"], record["rcpt_to"], record.get("user")
        at = datetime.fromisoformat(record["at"])
        if not _FILE_NAME.fullmatch(file) or not isinstance(rcpt_to, list) or at.tzinfo is None:
            return None
    except (KeyError, TypeError, ValueError):
        return None
    return StoredMessage(
        seq=int(file[:-4]),
        file=file,
        mail_from=str(record.get("mail_from", "")),
        rcpt_to=tuple(map(str, rcpt_to)),
        at=at,
        returned=returned,
        user=user if isinstance(user, str) else None,
    )
