"""A password on documents that somebody else made."""

from __future__ import annotations

import io
import resource
import zipfile
import zlib

import msoffcrypto
import pikepdf
import pytest

from campaigns.documents.protect import can_protect, has_password, protected
from campaigns.documents.slip import DocumentFault

PASSWORD = "123456"
TYPES = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'


def a_pdf(password: str = "") -> bytes:
    target = io.BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        if password:
            pdf.save(target, encryption=pikepdf.Encryption(user=password, owner=password))
        else:
            pdf.save(target)
    return target.getvalue()


def an_office_file() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("word/document.xml", "<w/>" * 2000)
    return target.getvalue()


def test_a_pdf_opens_with_the_password_alone() -> None:
    made = protected("a.pdf", a_pdf(), PASSWORD)
    assert has_password(made)
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(io.BytesIO(made))
    with pikepdf.open(io.BytesIO(made), password=PASSWORD) as pdf:
        assert pdf.encryption.bits == 256


def a_bomb(packed: bytes, filter_name: bytes) -> bytes:
    """A PDF whose cross-references are this stream (ISO 32000-2 7.5.8)."""
    before = (
        b"%PDF-1.5\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n"
        b"2 0 obj\n<</Type/Pages/Kids[]/Count 0>>\nendobj\n"
    )
    stream = b"3 0 obj\n<</Type/XRef/Size 4/W[1 4 2]/Root 1 0 R/Filter/%s/Length %d>>\nstream\n"
    after = b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(before)
    return before + stream % (filter_name, len(packed)) + packed + after


def nothing_packed(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


@pytest.mark.parametrize("filter_name", [b"FlateDecode", b"LZWDecode", b"#4cZWDecode"])
def test_a_pdf_that_swells_when_it_is_opened_is_not_protected(filter_name: bytes) -> None:
    """300 kB become 300 MB; in a zip it is a few hundred bytes."""
    packed = nothing_packed(300) if filter_name == b"FlateDecode" else bytes(200_000)
    bomb = a_bomb(packed, filter_name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert not has_password(bomb)
    with pytest.raises(DocumentFault):
        protected("a.pdf", bomb, PASSWORD)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # KiB


def test_a_pdf_with_a_password_keeps_it() -> None:
    theirs = a_pdf("another")
    assert protected("a.pdf", theirs, PASSWORD) == theirs


def test_an_office_document_opens_with_the_password() -> None:
    written = an_office_file()  # it holds the time, so that another one differs
    made = protected("合同.docx", written, PASSWORD)
    assert has_password(made)
    opened = io.BytesIO()
    file = msoffcrypto.OfficeFile(io.BytesIO(made))
    file.load_key(password=PASSWORD)
    file.decrypt(opened)
    assert opened.getvalue() == written


@pytest.mark.parametrize(
    ("name", "octets", "can"),
    [
        ("a.pdf", b"%PDF-1.7", True),
        ("a.docx", b"PK\x03\x04", True),
        ("a.zip", b"PK\x03\x04", False),
        ("a.png", b"\x89PNG", False),
        ("a.docx", b"no zip", False),
    ],
)
def test_what_can_have_a_password(name: str, octets: bytes, can: bool) -> None:
    assert can_protect(name, octets) == can
    assert not has_password(octets)


def test_an_office_document_that_would_unpack_without_end_is_refused() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", TYPES + " " * 20_000_000)
    with pytest.raises(DocumentFault):
        protected("合同.docx", target.getvalue(), PASSWORD)


@pytest.mark.parametrize(
    ("name", "octets"), [("a.png", b"\x89PNG"), ("a.pdf", b"%PDF-1.7 broken"), ("a.docx", b"PK")]
)
def test_what_cannot_is_a_fault_and_never_sent_in_clear(name: str, octets: bytes) -> None:
    with pytest.raises(DocumentFault):
        protected(name, octets, PASSWORD)
