"""A DNS server on loopback, over UDP and TCP, that answers from a zone in a dict; some names it fails or ignores.

    with dns_server({("corp.example.com", "TXT"): ["v=spf1 -all"]}) as server:
        server.resolver().resolve("corp.example.com", "TXT")

A TXT value is one string, or a tuple of strings for a record in pieces. A name with a CNAME is followed. `servfail`
and `silent` are names that get an error, or nothing. What is asked stands in `asked`.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.rrset

Zone = Mapping[tuple[str, str], Sequence[str | tuple[str, ...]]]
_UDP_OCTETS = 512


@dataclass
class DnsServer:
    zone: dict[tuple[str, str], Sequence[str | tuple[str, ...]]]
    servfail: Collection[str] = ()
    silent: Collection[str] = ()
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)

    def resolver(self) -> dns.resolver.Resolver:
        """One that knows this server alone."""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self.port
        return resolver

    def answer(self, wire: bytes) -> dns.message.Message | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        rdtype = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, rdtype))
        if name in self.silent:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        if name in self.servfail:
            response.set_rcode(dns.rcode.SERVFAIL)
        else:
            self._fill(response, name, rdtype)
        return response

    def _fill(self, response: dns.message.Message, name: str, rdtype: str) -> None:
        for _hop in range(8):
            if alias := self.zone.get((name, "CNAME")):
                response.answer.append(_rrset(name, "CNAME", alias))
                name = str(alias[0]).rstrip(".")
                continue
            if records := self.zone.get((name, rdtype)):
                response.answer.append(_rrset(name, rdtype, records))
            elif not any(known == name or known.endswith(f".{name}") for known, _ in self.zone):
                response.set_rcode(dns.rcode.NXDOMAIN)
            return


def _rrset(name: str, rdtype: str, values: Sequence[str | tuple[str, ...]]) -> dns.rrset.RRset:
    made = dns.rrset.RRset(
        dns.name.from_text(name), dns.rdataclass.IN, dns.rdatatype.from_text(rdtype)
    )
    for value in values:
        made.add(_rdata(rdtype, value), ttl=60)
    return made


def _rdata(rdtype: str, value: str | tuple[str, ...]) -> dns.rdata.Rdata:
    if rdtype != "TXT":
        return dns.rdata.from_text("IN", rdtype, str(value))
    pieces = [value] if isinstance(value, str) else list(value)
    octets = [piece.encode("utf-8", "surrogateescape") for piece in pieces]
    # Nobody writes 255 octets by hand: a long value is cut as a name server would cut it.
    strings = [one[at : at + 255] for one in octets for at in range(0, max(len(one), 1), 255)]
    wire = b"".join(bytes([len(string)]) + string for string in strings)
    return dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.TXT, wire, 0, len(wire))


class _Udp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, line = self.request
        response = self.server.dns.answer(wire)  # type: ignore[attr-defined]
        if response is None:
            return
        octets = response.to_wire()
        if len(octets) > _UDP_OCTETS:
            response.answer.clear()
            response.flags |= dns.flags.TC
            octets = response.to_wire()
        line.sendto(octets, self.client_address)


class _Tcp(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        (length,) = struct.unpack("!H", self.rfile.read(2))
        response = self.server.dns.answer(self.rfile.read(length))  # type: ignore[attr-defined]
        if response is not None:
            octets = response.to_wire()
            self.wfile.write(struct.pack("!H", len(octets)) + octets)


class _UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def dns_server(
    zone: Zone, *, servfail: Collection[str] = (), silent: Collection[str] = ()
) -> Iterator[DnsServer]:
    """Both sockets on one free port of 127.0.0.1."""
    knows = DnsServer(dict(zone), servfail, silent)
    with _pair() as (udp, tcp):
        knows.port = udp.server_address[1]
        servers: tuple[socketserver.BaseServer, ...] = (udp, tcp)
        for server in servers:
            server.dns = knows  # type: ignore[attr-defined]
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield knows
        finally:
            for server in servers:
                server.shutdown()


@contextmanager
def _pair() -> Iterator[tuple[_UdpServer, _TcpServer]]:
    for _attempt in range(20):
        udp = _UdpServer(("127.0.0.1", 0), _Udp)
        try:
            tcp = _TcpServer(("127.0.0.1", udp.server_address[1]), _Tcp)
        except OSError:
            # Somebody has the TCP port of that number.
            udp.server_close()
            continue
        with udp, tcp:
            yield udp, tcp
        return
    raise OSError(socket.EAI_AGAIN, "no port is free for both UDP and TCP")
