"""An IMAP client for the mailbox that bounces come back to (RFC 9051, 3501, 2971, 4315, 6851, 2595).

Stage: collect. Folders are read by EXAMINE and BODY.PEEK, so that nothing of anybody's is marked; only at
`quit` what was marked is moved, or flagged and expunged by its own UIDs. A folder whose UIDVALIDITY changed
under the session is not touched. Not safe for two threads at once.
"""

import builtins
import hashlib
import socket
import time
from typing import Self

from campaigns.mailer import imap_syntax as syntax
from campaigns.mailer.imap_login import identify, log_in
from campaigns.mailer.imap_settings import ImapSettings
from campaigns.mailer.imap_talk import MAX_LISTING, Talk
from campaigns.mailer.imap_wire import ImapWire
from campaigns.mailer.maildrop import Clock, Connector, connect
from campaigns.mailer.outbound import Resolver, resolve
from campaigns.mailer.pop3_errors import MaildropFailure, Phase, Problem
from campaigns.mailer.pop3_settings import PopTls

#: Messages that one command moves or deletes: its line stays below 4 kB.
_CHUNK = 200
#: Octets of one line of a body, for `top` (RFC 5322, 2.1.1).
_LINE = 998


class ImapMaildrop:
    """An open session, as `maildrop.Session` says."""

    def __init__(self, settings: ImapSettings, talk: Talk) -> None:
        self._settings = settings
        self._talk = talk
        self._places: dict[int, tuple[str, int, int]] = {}  # number → folder, UID, octets
        self._validity: dict[str, int] = {}
        self._examined = ""
        self._marked: dict[str, builtins.list[int]] = {}

    @classmethod
    def open(
        cls,
        settings: ImapSettings,
        *,
        resolver: Resolver = resolve,
        connector: Connector = socket.create_connection,
        clock: Clock = time.monotonic,
    ) -> Self:
        """Connects to the first permitted address of the host, encrypts, logs in and says who we are."""
        deadline = clock() + settings.timeouts.session
        sock = connect(settings, resolver, connector)
        talk = Talk(settings, ImapWire(sock, clock, deadline))
        try:
            if settings.tls is PopTls.IMPLICIT:
                talk.encrypt(Phase.CONNECT)
            talk.greet()
            if settings.tls is PopTls.STLS:
                talk.start_tls()
            log_in(talk)
            identify(talk)
        except MaildropFailure as failure:
            talk.close()
            raise failure.closed() from None
        except BaseException:
            talk.close()
            raise
        return cls(settings, talk)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what a poller does

    def list(self) -> builtins.list[tuple[int, str, int]]:
        """(number, folder with UIDVALIDITY and UID, octets), by folder and UID."""
        found: builtins.list[tuple[int, str, int]] = []
        self._places.clear()
        for folder in self._folders():
            named = hashlib.sha256(folder.encode()).hexdigest()[:8]
            for uid, size in self._messages(folder):
                number = len(found) + 1
                self._places[number] = (folder, uid, size)
                found.append((number, f"{named}:{self._validity[folder]}.{uid}", size))
        return found

    def top(self, number: int, lines: int, *, max_bytes: int = 1024 * 1024) -> bytes:
        """The first octets of the message, as many as the header section and so many lines may have."""
        return self._fetch(number, min(max_bytes, (lines + 60) * _LINE))

    def retrieve(self, number: int, max_bytes: int) -> bytes:
        """The whole message; VANISHED, with the session open, where somebody took it away meanwhile."""
        if self._places[number][2] > max_bytes:
            raise MaildropFailure(Phase.RETRIEVE, Problem.TOO_BIG, is_open=True)
        raw = self._fetch(number, max_bytes + 1)
        if len(raw) > max_bytes:
            self.close()
            raise MaildropFailure(Phase.RETRIEVE, Problem.FLOODED)
        return raw

    def delete(self, number: int) -> None:
        """Marks a message here; the server hears of it by `quit` alone."""
        folder, uid, _ = self._places[number]
        self._marked.setdefault(folder, []).append(uid)

    def quit(self) -> None:
        """Moves or deletes what was marked and logs out."""
        try:
            for folder, uids in self._marked.items():
                self._select(folder)
                for start in range(0, len(uids), _CHUNK):
                    self._take_away(uids[start : start + _CHUNK])
            self._talk.log_out()
        except MaildropFailure as failure:
            raise failure.closed() from None
        finally:
            self.close()

    def close(self) -> None:
        """Closes without removing anything; may be called twice."""
        self._talk.close()

    # --- folders

    def _folders(self) -> builtins.list[str]:
        """Their names; the inbox is there always. One that was asked for and is missing is a failure."""
        listed = self._talk.command(Phase.LIST, 'LIST "" "*"', max_octets=MAX_LISTING)
        there = [f for f in map(syntax.folder_of, listed) if f is not None and f.is_selectable]
        junk = [f.name for f in there if f.is_junk]
        wanted = self._settings.folders or (syntax.INBOX, *sorted(junk))
        names = {f.name for f in there}
        folders = [
            syntax.INBOX if name.upper() == syntax.INBOX else name
            for name in map(str.strip, wanted)
        ]
        for name in folders:
            if name != syntax.INBOX and name not in names:
                self.close()
                raise MaildropFailure(Phase.LIST, Problem.FOLDER_MISSING, name)
        return builtins.list(dict.fromkeys(folders))

    def _messages(self, folder: str) -> builtins.list[tuple[int, int]]:
        if not self._examine(folder, Phase.LIST):
            return []
        command = "UID FETCH 1:* (UID RFC822.SIZE)"
        lines = self._talk.command(Phase.LIST, command, max_octets=MAX_LISTING)
        return sorted(set(filter(None, map(syntax.size_of, lines))))

    def _examine(self, folder: str, phase: Phase) -> int:
        """How many messages there are. Read-only (RFC 9051, 6.3.3)."""
        self._examined = ""
        count = self._opened(phase, "EXAMINE", folder)
        self._examined = folder
        return count

    def _select(self, folder: str) -> None:
        self._examined = ""
        self._opened(Phase.DELETE, "SELECT", folder)

    def _opened(self, phase: Phase, command: str, folder: str) -> int:
        name = syntax.quoted(syntax.encoded(folder))
        said = self._talk.command(phase, f"{command} {name}")
        validity = syntax.code_of(said, "UIDVALIDITY")
        if validity is None or any(b"[UIDNOTSTICKY]" in r.text.upper() for r in said):
            self.close()
            raise MaildropFailure(phase, Problem.UIDL_MISSING)
        if self._validity.setdefault(folder, validity) != validity:
            # Its UIDs name other messages now: the next session reads them anew.
            self.close()
            raise MaildropFailure(phase, Problem.TEMPORARY)
        return syntax.exists_in(said)

    def _fetch(self, number: int, octets: int) -> bytes:
        folder, uid, _ = self._places[number]
        if folder != self._examined:
            self._examine(folder, Phase.RETRIEVE)
        said = self._talk.command(
            Phase.RETRIEVE,
            f"UID FETCH {uid:d} (UID BODY.PEEK[]<0.{octets:d}>)",
            max_octets=octets + 64 * 1024,
        )
        bodies = (syntax.body_of(response, uid) for response in said)
        raw = next((body for body in bodies if body is not None), None)
        if raw is None:
            raise MaildropFailure(Phase.RETRIEVE, Problem.VANISHED, is_open=True)
        return raw[:octets]

    # --- taking away

    def _take_away(self, uids: builtins.list[int]) -> None:
        chosen = ",".join(map(str, uids))
        if not self._settings.move_to:
            self._expunge(chosen, set(uids))
        elif self._talk.offers("MOVE", "IMAP4REV2"):
            self._to_folder("MOVE", chosen)
        else:
            self._to_folder("COPY", chosen)
            self._expunge(chosen, set(uids))

    def _to_folder(self, command: str, chosen: str) -> None:
        """The folder is made where the server says that this would help (TRYCREATE)."""
        target = syntax.quoted(syntax.encoded(self._settings.move_to))
        try:
            self._talk.command(Phase.DELETE, f"UID {command} {chosen} {target}")
        except MaildropFailure as failure:
            if not failure.is_open or "[TRYCREATE]" not in failure.reply.upper():
                raise
            self._talk.command(Phase.DELETE, f"CREATE {target}")
            self._talk.command(Phase.DELETE, f"UID {command} {chosen} {target}")

    def _expunge(self, chosen: str, uids: set[int]) -> None:
        """By UID (RFC 4315). A server without that expunges all that is flagged: there ours are only
        flagged where somebody else's are too."""
        by_uid = self._talk.offers("UIDPLUS", "IMAP4REV2")
        self._talk.command(Phase.DELETE, f"UID STORE {chosen} +FLAGS.SILENT (\\Deleted)")
        if by_uid:
            self._talk.command(Phase.DELETE, f"UID EXPUNGE {chosen}")
            return
        flagged = self._talk.command(Phase.DELETE, "UID SEARCH DELETED", max_octets=MAX_LISTING)
        if set(syntax.numbers_of(flagged, "SEARCH")) <= uids:
            self._talk.command(Phase.DELETE, "EXPUNGE", max_octets=MAX_LISTING)
