"""A private Dovecot: POP3 (RFC 1939) on loopback, plain with STLS on one port, TLS on the other; IMAP on a third
where it is asked for.

Its mailboxes are Maildirs anywhere, Postfix's for instance, so that what one delivers the other serves.
"""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.certificate import Certificate
from tests.servers.folder import owned_folder, server_user
from tests.servers.process import DidNotStart, Process, free_port, greets

ATTEMPTS = 3

CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
info_log_path = {folder}/dovecot.log
protocols = {protocols}
listen = 127.0.0.1
ssl = {ssl}
{certificate}
disable_plaintext_auth = no
auth_mechanisms = plain
auth_failure_delay = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 0
first_valid_gid = 0
mail_fsync = never
pop3_uidl_format = %08Xu%08Xv
pop3_lock_session = yes
mail_max_userip_connections = 100
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = {tls_port}
  }}
}}
{imap}service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


IMAP = """\
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""


@dataclass(frozen=True)
class Account:
    """A login's password and the Maildir it sees."""

    password: str
    maildir: Path


class Dovecot:
    """`accounts` by login. Without a certificate there is no TLS and `tls_port` is closed; without `imap`
    (Debian's dovecot-imapd) `imap_port` is 0."""

    def __init__(
        self,
        folder: Path,
        *,
        accounts: Mapping[str, Account],
        certificate: Certificate | None = None,
        imap: bool = False,
    ) -> None:
        self.folder = owned_folder(folder, None)
        self.accounts = dict(accounts)
        self.certificate = certificate
        self.port = 0
        self.tls_port = 0
        self.imap_port = free_port() if imap else 0
        # Who reads the mail is who owns the Maildirs: ourselves, or as root the mail's user.
        self._user = server_user() or getpass.getuser()
        self._process: Process | None = None

    def start(self) -> Self:
        for attempt in range(ATTEMPTS):
            ports = (self.port or free_port(), self.tls_port or free_port())
            try:
                self._start_on(*ports)
            except DidNotStart:
                if self.port or attempt == ATTEMPTS - 1:
                    raise
            else:
                self.port, self.tls_port = ports
                break
        return self

    def _start_on(self, port: int, tls_port: int) -> None:
        self._write_config(port, tls_port)
        process = Process(
            ["dovecot", "-F", "-c", self.folder / "dovecot.conf"],
            log=self.folder / "dovecot.stderr",
        )
        try:
            process.wait_until(lambda: greets(port, b"+OK"), seconds=10, what="Dovecot")
        except DidNotStart as error:
            process.stop()
            raise DidNotStart(f"{error}\n{self.log_text()[-2000:]}") from error
        self._process = process

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.stop(how)
            self._process = None

    def log_text(self) -> str:
        log = self.folder / "dovecot.log"
        return log.read_text(encoding="utf-8") if log.exists() else ""

    def _write_config(self, port: int, tls_port: int) -> None:
        entry = pwd.getpwnam(self._user)
        for account in self.accounts.values():
            if not account.maildir.exists():
                owned_folder(account.maildir, self._user if os.geteuid() == 0 else None)
        users = "".join(
            f"{login}:{account.password}:{entry.pw_uid}:{entry.pw_gid}::{account.maildir}::"
            f"userdb_mail=maildir:{account.maildir}\n"
            for login, account in self.accounts.items()
        )
        (self.folder / "users").write_text(users, encoding="utf-8")
        (self.folder / "dovecot.conf").write_text(
            CONFIG.format(
                folder=self.folder,
                protocols="pop3 imap" if self.imap_port else "pop3",
                imap=IMAP.format(port=self.imap_port) if self.imap_port else "",
                ssl="yes" if self.certificate else "no",
                certificate=self._certificate_lines(),
                user=self._user,
                group=grp.getgrgid(entry.pw_gid).gr_name,
                port=port,
                tls_port=tls_port if self.certificate else 0,
            ),
            encoding="utf-8",
        )

    def _certificate_lines(self) -> str:
        if self.certificate is None:
            return ""
        return f"ssl_cert = <{self.certificate.certificate}\nssl_key = <{self.certificate.key}"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()
