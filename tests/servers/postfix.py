"""A private Postfix: a submission relay on loopback that delivers every domain into Maildirs here.

It needs root and Debian's package (its users `postfix` and `postdrop`), and touches nothing of the
system's own instance. Recipients whose local part begins with `refuse-` get 550 5.1.1 at RCPT,
`bounce-` is accepted and then returned by a real delivery status notification (RFC 3464) to the
envelope sender, and `defer-` stays deferred in the queue.
"""

from __future__ import annotations

import email
import email.policy
import re
import signal
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.certificate import Certificate
from tests.servers.folder import owned_folder
from tests.servers.process import (
    DidNotStart,
    Guard,
    Process,
    becomes_true,
    free_port,
    greets,
    with_system_path,
)

DAEMONS = Path("/usr/lib/postfix/sbin")
ATTEMPTS = 3
MAIL_USER = "nobody"
EVERYONE = "everyone"
WAITING = ("maildrop", "incoming", "active", "deferred")

# The error and retry transports answer at RCPT already. To accept first, `bounce-` and `defer-` go to
# programs that end as pipe(8) wants it: 67 is "no such user", 75 "try again" (sysexits.h).
MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
postlog   unix-dgram n - n - 1 postlogd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
nobody    unix - n n - - pipe flags=q user=nobody argv=/bin/sh -c {{exit 67}}
later     unix - n n - - pipe flags=q user=nobody argv=/bin/sh -c {{exit 75}}
"""


@dataclass(frozen=True)
class Delivered:
    """One message in a mailbox: for whom Postfix delivered it, and its bytes with LF line ends."""

    recipient: str
    content: bytes

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.content, policy=email.policy.default)


class Postfix:
    """`mailboxes` names addresses with a Maildir of their own; everyone else's mail shares one.

    An address with an extension (`bounces+id@…`) belongs to the address without it. With a
    `certificate` STARTTLS is offered. `settings` are more lines of main.cf.
    """

    def __init__(
        self,
        folder: Path,
        *,
        mailboxes: Mapping[str, str] | None = None,
        certificate: Certificate | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = owned_folder(folder, None)
        self.config = owned_folder(folder / "config", None)
        self.mail = owned_folder(folder / "mail", MAIL_USER)
        self.mailboxes = dict(mailboxes or {})
        self.port = 0
        self.certificate = certificate
        self._settings = dict(settings or {})
        self._process: Process | None = None

    @property
    def log(self) -> Path:
        """Postfix's own log: one line for each step of each message."""
        return self.folder / "mail.log"

    def start(self) -> Self:
        for attempt in range(ATTEMPTS):
            port = self.port or free_port()
            try:
                self._start_on(port)
            except DidNotStart:
                if self.port or attempt == ATTEMPTS - 1:
                    raise
            else:
                self.port = port
                break
        return self

    def _start_on(self, port: int) -> None:
        self._write_config(port)
        self._command("postfix", "check")
        process = Process(
            # -d: stay our child, which the death signal needs (`postfix start` would leave us).
            [DAEMONS / "master", "-c", self.config, "-d"],
            log=self.folder / "master.log",
            env=with_system_path() | {"MAIL_CONFIG": str(self.config)},
        )
        self._guard = Guard(process.pid, self.config)
        try:
            process.wait_until(lambda: greets(port, b"220 "), seconds=20, what="Postfix")
        except DidNotStart as error:
            self._guard.release()
            process.stop()
            raise DidNotStart(f"{error}\n{self.log_text()[-2000:]}") from error
        self._process = process

    def stop(self, how: int = signal.SIGTERM) -> None:
        """The queue stays: a later `start()` goes on with it."""
        if self._process is not None:
            self._guard.release()
            self._process.stop(how)
            self._process = None

    def flush(self) -> None:
        """Tries every deferred message again, now."""
        self._command("postqueue", "-f")

    def discard_queue(self) -> None:
        """Forgets everything that is still queued."""
        self._command("postsuper", "-d", "ALL")

    def queued(self) -> int:
        """How many messages are still in the queue, deferred ones included."""
        queue = self.folder / "queue"
        return sum(path.is_file() for name in WAITING for path in (queue / name).rglob("*"))

    def wait_until_delivered(self, *, seconds: float = 30) -> None:
        """Until the queue is empty; `DidNotStart` with the log's end if it is not by then."""
        # Twice in a row: a report is queued before its message goes, but we may look between the two.
        previous = False

        def quiet_twice() -> bool:
            nonlocal previous
            before, previous = previous, self.queued() == 0
            return before and previous

        if not becomes_true(quiet_twice, seconds=seconds, every=0.1):
            raise DidNotStart(f"{self.queued()} messages in the queue\n{self.log_text()[-2000:]}")

    def delivered(self) -> list[Delivered]:
        """Every message of everyone without a mailbox of their own, in no order."""
        return self.read(EVERYONE)

    def by_recipient(self) -> dict[str, list[Delivered]]:
        """The same, by the recipient's address in lower case."""
        result: defaultdict[str, list[Delivered]] = defaultdict(list)
        for found in self.delivered():
            result[found.recipient.lower()].append(found)
        return dict(result)

    def maildir(self, name: str) -> Path:
        """Where a mailbox lies, for Dovecot."""
        return self.mail / name

    def read(self, name: str) -> list[Delivered]:
        """The messages in one Maildir; Delivered-To is what virtual(8) writes on top."""
        files = (path for new in ("new", "cur") for path in (self.maildir(name) / new).glob("*"))
        contents = [path.read_bytes() for path in files]
        return [Delivered(_delivered_to(content), content) for content in contents]

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def accepted_ids(self) -> list[str]:
        """The Message-IDs that it took, in the order of its log: the truth about what was sent."""
        return re.findall(r"postfix/cleanup\[\d+\]: \w+: message-id=(<[^>]*>)", self.log_text())

    def _command(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [program, "-c", self.config, *arguments],
            env=with_system_path(),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode != 0:
            raise DidNotStart(f"{program}: {done.stderr or done.stdout}\n{self.log_text()[-2000:]}")

    def _write_config(self, port: int) -> None:
        owned_folder(self.folder / "data", "postfix")
        owned_folder(self.folder / "queue", None)
        boxes = [_mailbox_line(*entry) for entry in self.mailboxes.items()]
        boxes.append(f"/./ {EVERYONE}/\n")
        refused = "/^refuse-/ 550 5.1.1 User unknown in virtual mailbox table\n"
        transports = "/^bounce-/ nobody:\n/^defer-/ later:\n"
        (self.config / "mailboxes").write_text("".join(boxes), encoding="utf-8")
        (self.config / "refused").write_text(refused, encoding="ascii")
        (self.config / "transports").write_text(transports, encoding="ascii")
        (self.config / "master.cf").write_text(MASTER_CF.format(port=port), encoding="ascii")
        lines = (f"{name} = {value}\n" for name, value in self._main_cf().items())
        (self.config / "main.cf").write_text("".join(lines), encoding="utf-8")

    def _main_cf(self) -> dict[str, str]:
        config = self.config
        main = {
            "compatibility_level": "3.6",
            "queue_directory": str(self.folder / "queue"),
            "data_directory": str(self.folder / "data"),
            "command_directory": "/usr/sbin",
            "daemon_directory": str(DAEMONS),
            "maillog_file": str(self.log),
            "maillog_file_prefixes": str(self.folder),
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "myhostname": "relay.hongyan.example",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "alias_maps": "",
            "alias_database": "",
            "local_transport": "error:5.1.1 nobody is local here",
            "smtpd_recipient_restrictions": f"check_recipient_access regexp:{config}/refused,"
            " permit_mynetworks, reject",
            "transport_maps": f"regexp:{config}/transports",
            "virtual_mailbox_domains": "static:all",
            "virtual_mailbox_base": str(self.mail),
            "virtual_mailbox_maps": f"regexp:{config}/mailboxes",
            "virtual_uid_maps": "static:65534",
            "virtual_gid_maps": "static:65534",
            "virtual_mailbox_limit": "0",
            "recipient_delimiter": "+",
            "smtpd_client_connection_count_limit": "0",
            "smtputf8_enable": "yes",
        }
        if self.certificate is not None:
            chain = f"{self.certificate.key}, {self.certificate.certificate}"
            main |= {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": chain}
        return main | self._settings

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()


def _mailbox_line(address: str, name: str) -> str:
    """A line of a regexp table, which also matches the address with an extension."""
    local, _, domain = address.rpartition("@")
    return rf"/^{re.escape(local)}(\+.*)?@{re.escape(domain)}$/ {name}/" + "\n"


def _delivered_to(content: bytes) -> str:
    found = re.search(rb"^Delivered-To: (.*)$", content, re.MULTILINE)
    return found.group(1).decode("utf-8") if found else ""
