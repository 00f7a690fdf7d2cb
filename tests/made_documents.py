"""PDF, DOCX and ODT files made by hand, good and hostile ones; none is a copy of somebody's document.

Used by tests/test_documents.py. Each hostile one comes with a part of the reason for which it is refused.
"""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO

WORDS = "Registered nurse, intensive care"

# --- PDF ---


def pdf_of(objects: Mapping[int, bytes], trailer: bytes = b"", *, root: int = 1) -> bytes:
    """Return a PDF of numbered objects with a table of where they are."""
    out = bytearray(b"%PDF-1.7\n")
    places = {}
    for number, content in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    size = max(objects) + 1
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        out += b"%010d 00000 n \n" % places[number] if number in places else b"0000000000 00000 f \n"
    out += b"trailer\n<< /Size %d /Root %d 0 R %b >>\nstartxref\n%d\n%%%%EOF\n" % (size, root, trailer, start)
    return bytes(out)


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(content), entries, content)


def flate(content: bytes, entries: bytes = b"") -> bytes:
    return stream(zlib.compress(content), b"/Filter /FlateDecode " + entries)


HELVETICA = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def lines_of(lines: Iterable[str], x: int = 72, top: int = 760) -> bytes:
    """Return the operators that write lines one below the other."""
    out = []
    for row, line in enumerate(lines):
        text = line.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
        out.append(b"BT /F1 11 Tf %d %d Td (%b) Tj ET" % (x, top - 14 * row, text))
    return b"\n".join(out)


def pdf(
    *pages: str | bytes,
    compressed: bool = True,
    font: bytes = HELVETICA,
    more: Mapping[int, bytes] | None = None,
    catalog: bytes = b"",
    resources: bytes = b"",
) -> bytes:
    """Return a PDF with a page for each text (or for each content stream, when it is bytes)."""
    objects: dict[int, bytes] = {}
    kids = []
    for page in pages:
        content = page if isinstance(page, bytes) else lines_of(page.split("\n"))
        number = 10 + 2 * len(kids)
        kids.append(b"%d 0 R" % number)
        objects[number] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> %b >> >>" % (number + 1, resources)
        )
        objects[number + 1] = flate(content) if compressed else stream(content)
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R %b >>" % catalog
    objects[2] = b"<< /Type /Pages /Count %d /Kids [%b] >>" % (len(kids), b" ".join(kids))
    objects[3] = font
    return pdf_of({**objects, **(more or {})})


def unicode_font(mapping: bytes) -> tuple[bytes, dict[int, bytes]]:
    """Return a font of two-byte codes whose letters a ToUnicode map names, and the objects it needs."""
    font = b"<< /Type /Font /Subtype /Type0 /BaseFont /Made /Encoding /Identity-H /DescendantFonts [4 0 R]"
    more = {
        4: b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Made /CIDSystemInfo << /Registry (Adobe)"
        b" /Ordering (Identity) /Supplement 0 >> /DW 600 >>"
    }
    if not mapping:
        return font + b" >>", more
    return font + b" /ToUnicode 5 0 R >>", {**more, 5: flate(mapping)}


def to_unicode(text: str) -> tuple[bytes, bytes]:
    """Return a ToUnicode map for the letters of a text, and the text in the codes of the font."""
    codes = {letter: code for code, letter in enumerate(dict.fromkeys(text), 3)}
    rows = b"\n".join(
        b"<%04X> <%b>" % (code, letter.encode("utf-16-be").hex().upper().encode())
        for letter, code in codes.items()
    )
    table = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Made def\n"
        b"1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
        b"%d beginbfchar\n%b\nendbfchar\nendcmap end end" % (len(codes), rows)
    )
    return table, b"".join(b"%04X" % codes[letter] for letter in text)


def pdf_in_unicode(text: str, *, mapped: bool = True) -> bytes:
    table, codes = to_unicode(text)
    font, more = unicode_font(table if mapped else b"")
    return pdf(b"BT /F1 11 Tf 72 700 Td <%b> Tj ET" % codes, font=font, more=more)


SCAN = pdf(
    b"q 595 0 0 842 0 0 cm /Im1 Do Q",
    resources=b"/XObject << /Im1 5 0 R >>",
    more={
        5: flate(
            b"\x80" * 10_000,
            b"/Type /XObject /Subtype /Image /Width 100 /Height 100"
            b" /ColorSpace /DeviceGray /BitsPerComponent 8",
        )
    },
)

# --- zip archives ---

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def zipped(parts: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in parts.items():
            plain = zipfile.ZIP_STORED if name == "mimetype" else compression
            archive.writestr(zipfile.ZipInfo(name), content, plain)
    return file.getvalue()


def relations(targets: Mapping[str, str]) -> str:
    rows = "".join(
        f'<Relationship Id="r{number}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for number, (target, kind) in enumerate(targets.items())
    )
    return f'<?xml version="1.0"?><Relationships xmlns="{RELATIONS}">{rows}</Relationships>'


def paragraph(*runs: str, properties: str = "") -> str:
    return (
        f"<w:p><w:pPr>{properties}</w:pPr>"
        + "".join(f"<w:r><w:t>{run}</w:t></w:r>" for run in runs)
        + "</w:p>"
    )


def document(body: str, *, root: str = "document", namespace: str = W) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><w:{root} xmlns:w="{namespace}"'
        ' xmlns:mc="urn:mc" xmlns:wps="urn:wps" xmlns:v="urn:v" xmlns:a="urn:a">'
        f"{body}</w:{root}>"
    )


def docx(
    body: str, more: Mapping[str, str | bytes] | None = None, targets: Mapping[str, str] | None = None
) -> bytes:
    """Return a DOCX of a body and further parts of ``word/``, named by their kind of relation."""
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations({"word/document.xml": "officeDocument"}),
            "word/_rels/document.xml.rels": relations(targets or {}),
            "word/document.xml": document(f"<w:body>{body}</w:body>"),
            **{f"word/{name}": content for name, content in (more or {}).items()},
        }
    )


OFFICE = "urn:oasis:names:tc:opendocument:xmlns"


def odt(body: str, styles: str = "", more: Mapping[str, str | bytes] | None = None) -> bytes:
    root = (
        f'xmlns:office="{OFFICE}:office:1.0" xmlns:text="{OFFICE}:text:1.0" xmlns:style="{OFFICE}:style:1.0"'
    )
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f"<office:document-content {root}>"
            f"<office:automatic-styles>{styles}</office:automatic-styles>"
            f"<office:body><office:text>{body}</office:text></office:body></office:document-content>",
            "styles.xml": f"<office:document-styles {root}><office:master-styles><style:master-page>"
            "<style:footer>"
            "<text:p>Jo Doe, page <text:page-number>7</text:page-number></text:p></style:footer>"
            "</style:master-page></office:master-styles></office:document-styles>",
            **(more or {}),
        }
    )


# --- hostile ones ---


def _bomb(name: str, megabytes: int = 1024, declared: int | None = None) -> bytes:
    """Return an archive with a part that unpacks to megabytes of blanks, made without packing them all."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(b" " * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    content = block * megabytes + packer.flush()
    size = megabytes << 20 if declared is None else declared
    about = struct.pack("<HHHHHLLLHH", 20, 0, 8, 0, 0x21, 0, len(content), size, len(name), 0)
    entry = b"PK\x01\x02\x14\0" + about + struct.pack("<HHHLL", 0, 0, 0, 0, 0) + name.encode()
    start = 30 + len(name) + len(content)
    end = b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 1, 1, len(entry), start, 0)
    return b"PK\x03\x04" + about + name.encode() + content + entry + end


def _locked() -> bytes:
    data = bytearray(docx(paragraph(WORDS)))
    place = -1
    while (place := data.find(b"PK\x01\x02", place + 1)) >= 0:
        data[place + 8] |= 1
    return bytes(data)


LAUGHS = (
    "<!DOCTYPE w:document [<!ENTITY a0 'laugh '>"
    + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))
    + "]>"
)
FETCHES = "<!DOCTYPE w:document [<!ENTITY a9 SYSTEM 'file:///etc/passwd'>]>"


def _with_doctype(doctype: str) -> bytes:
    content = document(f"<w:body>{paragraph(WORDS + ' &a9;')}</w:body>").replace(
        "?><w:", f"?>{doctype}<w:", 1
    )
    return zipped({"word/document.xml": content})


def _form_bomb() -> bytes:
    """Return a PDF of forms that draw the next one ten times, ten levels deep."""
    more = {}
    for level in range(10):
        inner = b"/X Do " * 10 if level < 9 else lines_of([WORDS])
        entries = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X %d 0 R >> >>"
        more[40 + level] = flate(inner, entries % (41 + level))
    return pdf(b"/X Do", resources=b"/XObject << /X 40 0 R >>", more=more)


def _own_form() -> bytes:
    entries = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 40 0 R >> >>"
    return pdf(b"/X Do", resources=b"/XObject << /X 40 0 R >>", more={40: flate(b"/X Do " * 50, entries)})


def _own_parent() -> bytes:
    return pdf_of(
        {1: b"<< /Type /Catalog /Pages 2 0 R >>", 2: b"<< /Type /Pages /Count 9 /Kids [2 0 R 2 0 R] >>"}
    )


def _filters() -> bytes:
    content = b"(" + b"x" * (64 << 20) + b") Tj"
    for _ in range(3):
        content = zlib.compress(content)
    one = pdf(WORDS)
    bomb = stream(content, b"/Filter [/FlateDecode /FlateDecode /FlateDecode]")
    start = one.index(b"11 0 obj\n") + len(b"11 0 obj\n")
    return one[:start] + bomb + one[one.index(b"\nendobj", start) :]


def _many_operators() -> bytes:
    return pdf(b"BT /F1 9 Tf 9 9 Td " + b"(nurse) Tj 1 0 Td " * 150_000 + b"ET")


def _wide_map() -> bytes:
    table = (
        b"begincmap 1 begincodespacerange <00000000> <FFFFFFFF> endcodespacerange\n"
        b"1 beginbfrange <00000000> <7FFFFFFF> <0000> endbfrange endcmap"
    )
    font, more = unicode_font(table)
    return pdf(b"BT /F1 9 Tf 9 9 Td <00410042> Tj ET", font=font, more=more)


def _previous_is_itself() -> bytes:
    data = pdf("")
    start = data.rindex(b"xref\n0")
    return data.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % start)


HOSTILE: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "docx that unpacks to a gigabyte": (lambda: _bomb("word/document.xml"), "unpacks to more than 8 MB"),
    "docx whose directory lies": (lambda: _bomb("word/document.xml", declared=1_000), "damaged"),
    "docx with a billion laughs": (lambda: _with_doctype(LAUGHS), "document type"),
    "docx that fetches a file": (lambda: _with_doctype(FETCHES), "document type"),
    "docx of a million levels": (lambda: docx("<w:p>" * 1_000_000), "nested"),
    "docx of 100,000 parts": (lambda: zipped({f"word/{n}.xml": b"" for n in range(100_000)}), "parts"),
    "docx packed with bzip2": (
        lambda: zipped({"word/document.xml": document(paragraph(WORDS))}, zipfile.ZIP_BZIP2),
        "packed in a way",
    ),
    "docx behind a password": (_locked, "password"),
    "docx of 80,000 paragraphs": (lambda: docx(paragraph(WORDS) * 80_000), "characters of text"),
    "docx with an attribute of 7 MB": (lambda: docx(f'<w:p w:a="{"x" * (7 << 20)}"/>'), "has no end"),
    "docx that stops in the middle": (lambda: docx(paragraph(WORDS))[:300], "no zip archive"),
    "docx whose XML stops in the middle": (
        lambda: zipped({"word/document.xml": document(paragraph(WORDS))[:-20]}),
        "not well-formed",
    ),
    "zip archive of other files": (lambda: zipped({"cv.txt": WORDS}), "unpack"),
    "spreadsheet": (lambda: zipped({"xl/workbook.xml": "<a/>"}), "spreadsheet"),
    "presentation": (lambda: zipped({"ppt/presentation.xml": "<a/>"}), "presentation"),
    "Pages file": (lambda: zipped({"Index/Document.iwa": "x"}), "Pages"),
    "odt that unpacks to a gigabyte": (
        lambda: zipped({"mimetype": "application/vnd.oasis.opendocument.text"}) + _bomb("content.xml"),
        "unpacks to more than 8 MB",
    ),
    "odt behind a password": (
        lambda: odt(WORDS, more={"META-INF/manifest.xml": "<manifest><encryption-data/></manifest>"}),
        "password",
    ),
    "OpenDocument spreadsheet": (
        lambda: zipped({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}),
        "not a text",
    ),
    "pdf of nothing else": (lambda: b"%PDF-1.7\n", "damaged|cannot be read"),
    "pdf of noise": (
        lambda: b"%PDF-1.7\n" + bytes(n * 7919 % 251 for n in range(200_000)),
        "damaged|takes too",
    ),
    "pdf of a million brackets": (lambda: b"%PDF-1.7\n1 0 obj\n" + b"[" * 1_000_000, "damaged|nested"),
    "pdf with brackets on a page": (lambda: pdf(b"[" * 1_000_000), "damaged|nested|no text layer"),
    "pdf whose pages hold themselves": (_own_parent, "damaged|no text layer|nested"),
    "pdf whose form draws itself": (_own_form, "no text layer|damaged|nested"),
    "pdf of ten levels of forms": (_form_bomb, "damaged|does not say|too large"),
    "pdf whose page unpacks to 64 MB": (lambda: pdf(b" " * (64 << 20)), "too large"),
    "pdf packed three times": (_filters, "too large"),
    "pdf of 300,000 operators": (_many_operators, "too large"),
    "pdf with a font of two billion letters": (_wide_map, "too large|damaged"),
    "pdf whose older table is itself": (_previous_is_itself, "no text layer|damaged"),
    "pdf of 1,000 pages": (lambda: pdf(*["Nurse"] * 1_000), "1,000 pages"),
}
"""What it is -> how it is made, and a pattern of the reason."""
