"""Documents read back by the programs that their readers use: PDFium (Chrome's) and Excel's encryption."""

from __future__ import annotations

import io

import msoffcrypto
import openpyxl
import pypdfium2


def pdf_text(document: bytes, password: str | None) -> str:
    """All that a reader can copy out of a PDF; raises PdfiumError for a wrong password."""
    pdf = pypdfium2.PdfDocument(document, password=password)
    try:
        texts = []
        for page in pdf:
            text = page.get_textpage()
            texts.append(text.get_text_range())
            text.close()
            page.close()
        return "\n".join(texts).replace("\r\n", "\n")
    finally:
        pdf.close()


def xlsx_cells(document: bytes, password: str) -> list[list[object]]:
    """The rows of the first sheet; raises InvalidKeyError for a wrong password."""
    opened, target = msoffcrypto.OfficeFile(io.BytesIO(document)), io.BytesIO()
    opened.load_key(password=password, verify_password=True)
    opened.decrypt(target)
    book = openpyxl.load_workbook(target)
    return [[cell.value for cell in row] for row in book.worksheets[0].iter_rows()]
