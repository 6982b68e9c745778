"""A person at a live site: cookies, CSRF tokens and forms over real HTTP, without a browser's speed."""

from __future__ import annotations

import http.client
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode


@dataclass(frozen=True)
class Answer:
    status: int
    location: str
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


@dataclass
class Visitor:
    """`jar` holds every cookie that was ever set, by name: also those that the site dropped again."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    jar: list[str] = field(default_factory=list)

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, b"", headers)

    def post(self, path: str, **fields: str) -> Answer:
        self._token(path)
        body = urlencode({**fields, "csrfmiddlewaretoken": self.cookies["csrftoken"]}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, body, headers)

    def upload(self, path: str, name: str, data: bytes, **fields: str) -> Answer:
        """One file in the field `file`, with the other fields before it."""
        self._token(path)
        edge = uuid.uuid4().hex
        parts = {**fields, "csrfmiddlewaretoken": self.cookies["csrftoken"]}
        lines = b"".join(
            f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in parts.items()
        )
        head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = lines + head.encode() + data + f"\r\n--{edge}--\r\n".encode()
        return self._ask(
            "POST", path, body, {"Content-Type": f"multipart/form-data; boundary={edge}"}
        )

    def sign_in(self, email: str, password: str) -> None:
        answer = self.post("/accounts/sign-in/", username=email, password=password)
        assert answer.status == 302, answer.text

    def _token(self, path: str) -> None:
        if "csrftoken" not in self.cookies:
            self.get("/accounts/sign-in/")

    def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        given = dict(headers) | {"Host": "127.0.0.1"}
        given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body or None, given)
            answer = connection.getresponse()
            for line in answer.headers.get_all("Set-Cookie") or []:
                self.jar.append(line)
                if found := re.match(r"([^=]+)=([^;]*)", line):
                    self.cookies[found[1]] = found[2]
            return Answer(answer.status, answer.headers.get("Location", ""), answer.read())
        finally:
            connection.close()
