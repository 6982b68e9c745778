"""The mail sandbox of quickstart: SMTP in, POP3 out, an inbox page. Never part of production."""

from .sandbox import MailSandbox, Ports, SandboxError

__all__ = ["MailSandbox", "Ports", "SandboxError"]
