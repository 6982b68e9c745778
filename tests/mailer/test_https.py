"""One POST to a typed address: where it may go, how long it may take, and how much it may bring."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from campaigns.mailer.https import Answer, PostFailure, checked, post
from campaigns.mailer.smtp_session import connect_tcp


@contextmanager
def server(answer: bytes, *, pause: float = 0.0) -> Iterator[tuple[str, bytearray]]:
    """Reads one request and gives the answer, octet by octet where there is a pause."""
    heard = bytearray()

    def serve() -> None:
        sock, _ = listener.accept()
        with sock:
            heard.extend(sock.recv(1 << 16))
            while not _is_whole(heard):
                heard.extend(sock.recv(1 << 16))
            try:
                for octet in (
                    [answer] if not pause else [answer[n : n + 1] for n in range(len(answer))]
                ):
                    sock.sendall(octet)
                    time.sleep(pause)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/token?a=b", heard
        finally:
            thread.join()


def _is_whole(request: bytearray) -> bool:
    head, found, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return bool(found) and length is not None and len(body) >= int(length[1])


def fails(url: str, **options: object) -> str:
    with pytest.raises(PostFailure) as caught:
        post(url, {"a": "b"}, **options)  # type: ignore[arg-type]
    return caught.value.reason


def test_a_form_goes_out_and_the_answer_comes_back() -> None:
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as (url, heard):
        assert post(url, {"名": "值 &"}, allow_private=True) == Answer(200, b"{}")
    assert heard.startswith(b"POST /token?a=b HTTP/1.1\r\n")
    assert heard.endswith(b"\r\n\r\n%E5%90%8D=%E5%80%BC+%26")


def test_octets_go_out_with_their_type() -> None:
    with server(b"HTTP/1.1 204 \r\n\r\n") as (url, heard):
        headers = {"Content-Type": "application/json"}
        assert post(url, b"[1]", headers=headers, allow_private=True).status == 204
    assert b"Content-Type: application/json\r\n" in heard
    assert heard.endswith(b"\r\n\r\n[1]")


def test_a_redirect_is_not_followed() -> None:
    with server(
        b"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    ) as (
        url,
        _heard,
    ):
        assert post(url, {}, allow_private=True).status == 302


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/token",
        "http://127.0.0.1/token",
        "ftp://example.com/",
        "gopher://example.com/",
        "https:///token",
        "https://user:password@example.com/",
        "https://example.com/#x",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com/a b",
        "https://exa\r\nmple.com/",
        "https://例.cn/",
        "https://[::1/",
        "https://example.com/" + "a" * 3000,
    ],
)
def test_an_address_that_is_none_is_not_asked(url: str) -> None:
    with pytest.raises(PostFailure) as caught:
        checked(url, allow_private=False)
    assert caught.value.reason == "url"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "0.0.0.0"]
)
def test_a_name_that_leads_within_is_not_connected_to(address: str) -> None:
    def connector(*_: object) -> socket.socket:
        raise AssertionError("connected")

    reason = fails(
        "https://example.com/", resolver=lambda _host, _port: [address], connector=connector
    )
    assert reason == "address_forbidden"


def test_the_metadata_of_a_cloud_is_never_reached() -> None:
    reason = fails("https://169.254.169.254/", allow_private=True)
    assert reason == "address_forbidden"


def test_a_server_without_a_trusted_certificate_is_left() -> None:
    from tests.fakes.scripted_relay import RelayOptions, ScriptedRelay

    with ScriptedRelay(RelayOptions(tls="implicit")) as relay:
        reason = fails(f"https://localhost:{relay.port}/", allow_private=True)
    assert reason == "certificate_untrusted"


def test_an_answer_that_drips_is_cut() -> None:
    drip = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50 + b"\r\n"
    with server(drip, pause=0.02) as (url, _heard):
        started = time.monotonic()
        assert fails(url, allow_private=True, seconds=0.3) == "timed_out"
    assert time.monotonic() - started < 2


def test_a_body_without_an_end_that_is_cut_is_no_answer() -> None:
    with server(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100, pause=0.02) as (url, _heard):
        assert fails(url, allow_private=True, seconds=0.8) == "timed_out"


def test_an_answer_without_end_is_not_read() -> None:
    with server(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000) as (url, _heard):
        assert fails(url, allow_private=True) == "flooded"


@pytest.mark.parametrize(
    "said", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
)
def test_what_is_no_http_is_no_answer(said: bytes) -> None:
    with server(said) as (url, _heard):
        assert fails(url, allow_private=True) == "protocol"


def test_nobody_there_and_no_such_name_are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert fails(f"http://127.0.0.1:{port}/", allow_private=True) == "unreachable"

    def unknown(_host: str, _port: int) -> list[str]:
        raise OSError

    assert fails("https://nowhere.example/", resolver=unknown) == "unresolved"


def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    seen: list[str] = []

    def connector(address: str, port: int, seconds: float) -> socket.socket:
        seen.append(address)
        return connect_tcp("127.0.0.1", port, seconds)

    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (url, _heard):
        post(
            url,
            {},
            allow_private=True,
            resolver=lambda _host, _port: ["127.0.0.2"],
            connector=connector,
        )
    assert seen == ["127.0.0.2"]
