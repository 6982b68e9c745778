"""How a maildrop fails (RFC 1939, 2449, 3206; RFC 9051, 5530): one word a cause, and a Chinese sentence for each.

The words are stored with the mailbox; the Django side translates by a table `Problem -> gettext` of
its own and falls back on `sentence_zh`. No password is ever in a failure.
"""

from enum import StrEnum


class Phase(StrEnum):
    """Where in the session it happened."""

    CONNECT = "connect"
    GREETING = "greeting"
    STLS = "stls"
    LOGIN = "login"
    LIST = "list"
    RETRIEVE = "retrieve"
    DELETE = "delete"
    QUIT = "quit"


class Problem(StrEnum):
    """The cause. Those of the connection have the words that relays use (`reply_reasons.Reason`)."""

    UNRESOLVED = "unresolved"
    ADDRESS_FORBIDDEN = "address_forbidden"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    PROTOCOL = "protocol"
    FLOODED = "flooded"
    PLAIN_TEXT_FORBIDDEN = "plain_text_forbidden"
    TLS_MISSING = "tls_missing"
    TLS_INJECTION = "tls_injection"
    TLS_FAILED = "tls_failed"
    CERTIFICATE_HOST = "certificate_host"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    CA_UNREADABLE = "ca_unreadable"

    AUTH_REFUSED = "auth_refused"
    AUTH_CODE_NEEDED = "auth_code_needed"
    AUTH_LOCKED = "auth_locked"
    POP3_OFF = "pop3_off"
    IN_USE = "in_use"
    TEMPORARY = "temporary"
    UIDL_MISSING = "uidl_missing"
    TOO_BIG = "too_big"
    REFUSED = "refused"

    IMAP_OFF = "imap_off"
    LOGIN_UNSAFE = "login_unsafe"
    FOLDER_MISSING = "folder_missing"
    VANISHED = "vanished"


_SENTENCES_ZH: dict[Problem, str] = {
    Problem.UNRESOLVED: "找不到退信邮箱的服务器，请检查主机名",
    Problem.ADDRESS_FORBIDDEN: "服务器地址属于内网或本机，未获管理员允许",
    Problem.UNREACHABLE: "连接不上退信邮箱的服务器，请检查主机、端口和防火墙",
    Problem.TIMED_OUT: "退信邮箱的服务器在规定时间内没有回应",
    Problem.LOST: "与退信邮箱的连接中断",
    Problem.PROTOCOL: "服务器的回复不符合 POP3 协议，请检查端口是否正确",
    Problem.FLOODED: "服务器的回复过长，已断开",
    Problem.PLAIN_TEXT_FORBIDDEN: "未加密的 POP3 只允许连接本机",
    Problem.TLS_MISSING: "服务器没有提供 STLS 加密，未发送密码",
    Problem.TLS_INJECTION: "加密开始前收到多余数据，可能有人篡改连接，已断开",
    Problem.TLS_FAILED: "加密连接建立失败",
    Problem.CERTIFICATE_HOST: "服务器证书与主机名不符",
    Problem.CERTIFICATE_EXPIRED: "服务器证书已过期",
    Problem.CERTIFICATE_UNTRUSTED: "服务器证书不受信任（自签名或未知的颁发机构）",
    Problem.CA_UNREADABLE: "所填的 CA 证书无法读取",
    Problem.AUTH_REFUSED: "登录被拒绝，请检查用户名和密码",
    Problem.AUTH_CODE_NEEDED: "登录被拒绝：这里要填授权码（客户端专用密码），不是网页登录密码；请在邮箱的设置里生成",
    Problem.AUTH_LOCKED: "登录过于频繁，服务器暂时拒绝登录，请稍后再试",
    Problem.POP3_OFF: "此邮箱没有开启 POP3 服务，请在邮箱的设置里开启",
    Problem.IN_USE: "退信邮箱正被另一个程序占用，稍后自动重试",
    Problem.TEMPORARY: "退信邮箱的服务器暂时无法处理，稍后自动重试",
    Problem.UIDL_MISSING: "服务器不支持 UIDL，无法可靠地辨认邮件，不能用作退信邮箱",
    Problem.TOO_BIG: "邮件超过允许的大小，未下载",
    Problem.REFUSED: "退信邮箱的服务器拒绝了这个操作",
    Problem.IMAP_OFF: "此邮箱没有开启 IMAP 服务，请在邮箱的设置里开启",
    Problem.LOGIN_UNSAFE: "服务商认为这次登录不安全，不让打开文件夹；请在网页邮箱里确认登录，或联系服务商",
    Problem.FOLDER_MISSING: "所填的文件夹在服务器上不存在",
    Problem.VANISHED: "邮件在读取之前被移走或删除了",
}

#: Causes that waiting does not cure: the poller stops and tells a person.
NEEDS_PERSON = frozenset(
    {
        Problem.ADDRESS_FORBIDDEN,
        Problem.PLAIN_TEXT_FORBIDDEN,
        Problem.TLS_MISSING,
        Problem.TLS_INJECTION,
        Problem.CERTIFICATE_HOST,
        Problem.CERTIFICATE_EXPIRED,
        Problem.CERTIFICATE_UNTRUSTED,
        Problem.CA_UNREADABLE,
        Problem.AUTH_REFUSED,
        Problem.AUTH_CODE_NEEDED,
        Problem.POP3_OFF,
        Problem.UIDL_MISSING,
        Problem.IMAP_OFF,
        Problem.LOGIN_UNSAFE,
        Problem.FOLDER_MISSING,
    }
)


class MaildropFailure(Exception):
    """`reply` is the server's text after -ERR (at most 500 characters, never a password), or "".

    `is_open`: the session goes on and other messages may be read; else the connection is closed.
    """

    def __init__(
        self, phase: Phase, kind: Problem, reply: str = "", *, is_open: bool = False
    ) -> None:
        self.phase = phase
        self.kind = kind
        self.reply = reply
        self.is_open = is_open
        super().__init__(f"{phase}: {kind}" + (f": {reply}" if reply else ""))

    def closed(self) -> "MaildropFailure":
        """The same failure of a session that is over."""
        return MaildropFailure(self.phase, self.kind, self.reply)

    @property
    def sentence_zh(self) -> str:
        """A Chinese sentence; the Django side may translate `kind` instead."""
        return _SENTENCES_ZH[self.kind]


#: Response codes in brackets (RFC 2449, RFC 3206).
_CODES = {
    "[IN-USE]": Problem.IN_USE,
    "[LOGIN-DELAY]": Problem.AUTH_LOCKED,
    "[SYS/TEMP]": Problem.TEMPORARY,
    "[INUSE]": Problem.IN_USE,
    "[UNAVAILABLE]": Problem.TEMPORARY,
    "[SERVERBUG]": Problem.TEMPORARY,
    "[NONEXISTENT]": Problem.FOLDER_MISSING,
}
#: What 163, QQ, Exmail and others say in words. The first that occurs counts.
_WORDS: tuple[tuple[str, Problem], ...] = (
    ("授权码", Problem.AUTH_CODE_NEEDED),
    ("authorized code", Problem.AUTH_CODE_NEEDED),
    ("authorization code", Problem.AUTH_CODE_NEEDED),
    ("auth code", Problem.AUTH_CODE_NEEDED),
    ("客户端专用密码", Problem.AUTH_CODE_NEEDED),
    ("application-specific password", Problem.AUTH_CODE_NEEDED),
    ("app password", Problem.AUTH_CODE_NEEDED),
    ("service is not open, password", Problem.AUTH_CODE_NEEDED),
    ("reqcode", Problem.AUTH_CODE_NEEDED),
    ("unsafe login", Problem.LOGIN_UNSAFE),
    ("用户无权", Problem.POP3_OFF),
    ("imap is disabled", Problem.IMAP_OFF),
    ("not enabled for imap", Problem.IMAP_OFF),
    ("imap access", Problem.IMAP_OFF),
    ("imap service", Problem.IMAP_OFF),
    ("imap is not", Problem.IMAP_OFF),
    ("no permission", Problem.POP3_OFF),
    ("not enabled for pop", Problem.POP3_OFF),
    ("pop3 is not", Problem.POP3_OFF),
    ("pop3 disabled", Problem.POP3_OFF),
    ("pop service", Problem.POP3_OFF),
    ("service is not open", Problem.POP3_OFF),
    ("未开启", Problem.POP3_OFF),
    ("frequency", Problem.AUTH_LOCKED),
    ("too many", Problem.AUTH_LOCKED),
    ("too frequent", Problem.AUTH_LOCKED),
    ("频繁", Problem.AUTH_LOCKED),
    ("in use", Problem.IN_USE),
    ("locked by", Problem.IN_USE),
    ("maildrop already locked", Problem.IN_USE),
    ("unable to lock", Problem.IN_USE),
    ("temporar", Problem.TEMPORARY),
    ("system is busy", Problem.TEMPORARY),
    ("try again later", Problem.TEMPORARY),
)
#: Houses where a login with the password of the web page fails, whatever the server says of it.
_WANT_CODES = (
    "163.com", "126.com", "yeah.net", "188.com", "qq.com", "foxmail.com", "sina.com", "sohu.com",
    "gmail.com", "aliyun.com", "139.com",
)  # fmt: skip


def refusal(reply: str) -> Problem:
    """What a -ERR to anything but a login means, by its response code if it has one."""
    if "unsafe login" in reply.lower():
        return Problem.LOGIN_UNSAFE
    return next((p for code, p in _CODES.items() if code in reply.upper()), Problem.REFUSED)


def login_problem(reply: str, host: str) -> Problem:
    """Why a login was refused, from the server's text and, where it says little, from its house."""
    for code, problem in _CODES.items():
        if code in reply.upper():
            return problem
    lowered = reply.lower()
    for words, problem in _WORDS:
        if words in lowered:
            return problem
    wants_code = host.lower().rstrip(".").endswith(_WANT_CODES)
    return Problem.AUTH_CODE_NEEDED if wants_code else Problem.AUTH_REFUSED
