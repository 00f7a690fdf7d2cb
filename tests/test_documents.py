"""Documents become the text that they show, or one typed error, whatever is done to them."""

import importlib.util
import io
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher import ProfileError, read_cv
from matcher.documents import READERS, isolation
from matcher.documents.child import answer, refuse
from matcher.documents.docx import read_docx
from matcher.documents.isolation import Limits, read_isolated
from matcher.documents.json_resume import SECTIONS, read_json_resume
from matcher.documents.layout import join_pages, require_words
from matcher.documents.odt import read_odt
from matcher.documents.pdf import read_pdf
from matcher.documents.recognition import ENDINGS, recognise
from matcher.documents.written import read_html
from tests.made_documents import (
    HELVETICA,
    HOSTILE,
    SCAN,
    STRICT,
    WORDS,
    document,
    docx,
    lines_of,
    odt,
    paragraph,
    pdf,
    pdf_in_unicode,
    relations,
    zipped,
)

needs_pypdf = pytest.mark.skipif(
    importlib.util.find_spec("pypdf") is None, reason="PDF needs the extra [documents]"
)
ROOT = Path(__file__).parent.parent
RESUME = {
    "basics": {
        "name": "Jo Doe",
        "label": "Registered nurse",
        "email": "jo@doe.example",
        "image": "https://doe.example/me.png",
        "url": "https://doe.example",
        "location": {"address": "1 Old Street", "city": "Bern", "countryCode": "CH"},
        "summary": "Ten years on wards.",
    },
    "work": [{"position": "Nurse", "name": "Ward 5", "startDate": "2019", "highlights": ["Triage", "ECG"]}],
    "skills": [{"name": "Care", "keywords": ["IV lines"]}],
    "languages": [{"language": "German", "fluency": "C1"}],
}


def samples() -> dict[str, bytes]:
    """Return one good file for each format."""
    return {
        "plain": WORDS.encode(),
        "markdown": f"# {WORDS}".encode(),
        "html": f"<!DOCTYPE html><title>x</title><p>{WORDS}".encode(),
        "json": json.dumps({"basics": {"label": WORDS}}).encode(),
        "pdf": pdf(WORDS),
        "docx": docx(paragraph(WORDS)),
        "odt": odt(f"<text:p>{WORDS}</text:p>"),
    }


ROWS = [pytest.param(key, marks=needs_pypdf if key == "pdf" else ()) for key in READERS]

# --- every row of the table ---


@pytest.mark.parametrize("key", ROWS)
def test_every_format_is_read_by_its_ending_and_from_a_stream(tmp_path, key):
    data = samples()[key]
    for ending in READERS[key].endings:
        path = tmp_path / f"cv{ending}"
        path.write_bytes(data)
        assert WORDS in read_cv(path).text
        with path.open("rb") as file:
            assert read_cv(file) == read_cv(path)
    assert WORDS in read_cv(io.BytesIO(data)).text


@pytest.mark.parametrize("key", [row for row in ROWS if row.values[0] in {"pdf", "docx", "odt", "html"}])
@pytest.mark.parametrize("ending", [".txt", ".md", ".docx", ".pdf", ".json", ".doc", ".xyz", ""])
def test_what_a_file_begins_with_beats_its_ending(tmp_path, key, ending):
    path = tmp_path / f"cv{ending}"
    path.write_bytes(samples()[key])
    if key == "html" and ending in {".docx", ".pdf"}:  # a mistake of the download: the page is not the CV
        with pytest.raises(ProfileError, match="whatever its ending says"):
            read_cv(path)
    else:
        assert WORDS in read_cv(path).text


@pytest.mark.parametrize("key", ROWS)
def test_nothing_is_no_cv_in_any_format(tmp_path, key):
    path = tmp_path / f"cv{READERS[key].endings[0]}"
    path.write_bytes(b"")
    with pytest.raises(ProfileError, match="empty"):
        read_cv(path)


@pytest.mark.parametrize("key", ["pdf", "docx", "odt", "json"])
def test_text_under_the_name_of_a_document_is_no_document(tmp_path, key):
    path = tmp_path / f"cv{READERS[key].endings[0]}"
    path.write_bytes(b"Jo Doe, nurse")
    with pytest.raises(ProfileError) as caught:
        read_cv(path)
    assert path.name in str(caught.value)
    assert "Doe" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("data", "ending", "reason"),
    [
        (b"{\\rtf1 Nurse}", ".rtf", "RTF"),
        (b"{\\rtf1 Nurse}", ".doc", "RTF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), ".doc", r"\.doc"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), ".docx", "password"),
        (b"\x89PNG\r\n", ".png", "OCR"),
        (b"\xff\xd8\xff\xe0", ".txt", "OCR"),
        (b"GIF89a", "", "OCR"),
        (b"RIFF\0\0\0\0WEBPVP8", "", "OCR"),
        (b"\0\0\0\x18ftypheic", "", "OCR"),
        (b"\x1f\x8b\x08", ".gz", "unpack"),
        (b"%!PS-Adobe", ".ps", "PostScript"),
        (b"Nurse", ".pages", r"\.pages files are not read"),
        (b"Nurse", ".xyz", r"\.xyz files are not read"),
    ],
)
def test_other_formats_are_refused_with_advice(tmp_path, data, ending, reason):
    (tmp_path / f"cv{ending}").write_bytes(data)
    with pytest.raises(ProfileError, match=reason) as caught:
        read_cv(tmp_path / f"cv{ending}")
    assert f"cv{ending}" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["GIF makers wanted", "BZhaw nurse", "Rar! nurse", "II nurse", "%PDF knowledge", "PK"]
)
def test_words_that_look_like_the_beginning_of_a_file_are_words(text):
    assert read_cv(io.BytesIO(text.encode())).text == text


def test_a_text_about_a_format_is_not_that_format():
    text = "I wrote %PDF-1.7 by hand and <html> too"
    assert read_cv(io.BytesIO(text.encode())).text == text


def test_an_upload_of_any_name_is_recognised(tmp_path):
    path = tmp_path / "upload.tmp"
    path.write_bytes(WORDS.encode())
    with path.open("rb") as file:
        assert read_cv(file).text == WORDS


def test_a_document_in_a_text_stream_is_a_typed_error(tmp_path):
    path = tmp_path / "cv.docx"
    path.write_bytes(docx(paragraph(WORDS)) + b"\xff\xfe\xfd")
    with path.open(encoding="utf-8") as file, pytest.raises(ProfileError, match="rb"):
        read_cv(file)
    closed = io.BytesIO(b"x")
    closed.close()
    with pytest.raises(ProfileError, match="cannot be read"):
        read_cv(closed)


# --- HTML ---


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "iso-8859-2", "windows-1250", "koi8-r", "shift_jis"])
def test_a_page_is_decoded_as_it_declares(codec):
    words = {"koi8-r": "медсестра", "shift_jis": "看護師"}.get(codec, "Księgowa")
    page = f'<html><head><meta charset="{codec}"></head><p>{words}, Bern</p>'
    assert read_cv(io.BytesIO(page.encode(codec))).text == f"{words}, Bern"


@pytest.mark.parametrize(
    "codec", ["utf-7", "idna", "hex", "rot13", "zip", "nonsense", "utf-16", "iso-8859-1"]
)
def test_a_declaration_that_cannot_be_true_is_not_believed(codec):
    page = f'<html><meta charset="{codec}"><p>'.encode() + "Köchin – Bern".encode("cp1252")
    assert read_html(page) == "Köchin – Bern"


def test_scripts_and_markup_are_no_text():
    page = b"<html><script>var a = 'x'</script><style>p{}</style><p>Nurse &amp; cook<!-- no --></p></html>"
    assert read_cv(io.BytesIO(page)).text == "Nurse & cook"


# --- JSON Resume ---


def test_a_json_resume_is_read_section_by_section():
    assert read_json_resume(json.dumps(RESUME).encode()).split("\n") == [
        "Jo Doe",
        "Registered nurse",
        "jo@doe.example",
        "Bern, CH",
        "Ten years on wards.",
        "Work experience",
        "Nurse, Ward 5",
        "2019",
        "Triage, ECG",
        "Skills",
        "Care, IV lines",
        "Languages",
        "German, C1",
    ]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_of_the_schema_is_read(section):
    names = [name.strip("[]") for line in SECTIONS[section] for name in line.split()]
    entry = {name: f"value of {name}" for name in names}
    text = read_json_resume(json.dumps({section: [entry]}).encode())
    assert all(f"value of {name}" in text for name in names)


@pytest.mark.parametrize("section", ["basics", *SECTIONS])
@pytest.mark.parametrize(
    "value", [None, [], {}, "", "Nurse", [None], ["Nurse"], [["Nurse"]], 5, True, {"name": "Nurse"}]
)
def test_careless_shapes_are_read_or_refused(section, value):
    data = json.dumps({section: value}).encode()
    if section == "basics" and value is not None and not isinstance(value, dict):
        with pytest.raises(ProfileError, match="must be an object"):
            read_json_resume(data)
        return
    text = read_json_resume(data)
    assert ("Nurse" in text) == ("Nurse" in json.dumps(value))
    assert "None" not in text
    assert "True" not in text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"basics": ', "line 1, column 12"),
        (b"[]", "no JSON Resume"),
        (b"{}", "no JSON Resume"),
        (b'{"title": "Nurse"}', "no JSON Resume"),
        (b"5", "no JSON Resume"),
        (b"[" * 500_000, "nested"),
        (b'{"work": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
        (b'{"basics": [1]}', "must be an object"),
    ],
    ids=range(8),
)
def test_what_is_no_json_resume_is_refused(tmp_path, data, reason):
    (tmp_path / "cv.json").write_bytes(data)
    with pytest.raises(ProfileError, match=reason):
        read_cv(tmp_path / "cv.json")


def test_a_number_of_a_million_digits_is_text():
    assert read_json_resume(
        b'{"skills": [{"name": "Nurse", "level": ' + b"9" * 1_000_000 + b"}]}"
    ).startswith("Skills")


def test_a_json_resume_says_who_somebody_is_where_the_rules_look(tmp_path):
    from matcher import Matcher, Posting

    (tmp_path / "cv.json").write_text(json.dumps(RESUME), encoding="utf-8")
    ranking = Matcher.fit([Posting(id="1", title="Jo Doe registered nurse")]).recommend(
        read_cv(tmp_path / "cv.json")
    )
    assert {"jo", "doe"}.isdisjoint(item.feature for item in ranking[0].contributions)


# --- DOCX ---


def body_of(body: str, **more: dict[str, str]) -> list[str]:
    return read_docx(docx(body + paragraph("one two three"), **more)).split("\n")[:-1]


def test_runs_and_paragraphs():
    assert body_of(paragraph("Regis", "tered ", "nurse") + paragraph("Bern")) == ["Registered nurse", "Bern"]


def test_tabs_breaks_and_hyphens():
    run = "<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/><w:t>d</w:t>"
    assert body_of(f"{run}<w:softHyphen/><w:t>e</w:t></w:r></w:p>") == ["a b", "c-de"]
    assert body_of(paragraph("Bern", properties='<w:tabs><w:tab w:val="left"/></w:tabs>')) == ["Bern"]


def test_tables_and_tables_in_tables():
    def table(cell: str) -> str:
        return f"<w:tbl><w:tr><w:tc>{cell}</w:tc><w:tc>{paragraph('2019')}</w:tc></w:tr></w:tbl>"

    assert body_of(table(table(paragraph("Nurse")))) == ["Nurse", "2019", "2019"]


def test_a_text_box_is_read_once():
    box = f"<w:txbxContent>{paragraph('Triage')}</w:txbxContent>"
    shape = (
        f'<mc:AlternateContent><mc:Choice Requires="wps"><wps:txbx>{box}</wps:txbx></mc:Choice>'
        f"<mc:Fallback><v:textbox>{box}</v:textbox></mc:Fallback></mc:AlternateContent>"
    )
    assert body_of(f"<w:p><w:r><w:t>Outer</w:t>{shape}</w:r></w:p>") == ["Triage", "Outer"]


@pytest.mark.parametrize(
    "hidden",
    [
        "<w:p><w:del><w:r><w:delText>secret</w:delText></w:r></w:del></w:p>",
        "<w:p><w:del><w:r><w:t>secret</w:t></w:r></w:del></w:p>",
        "<w:p><w:moveFrom><w:r><w:t>secret</w:t></w:r></w:moveFrom></w:p>",
        "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r></w:p>",
        '<w:p><w:r><w:rPr><w:vanish w:val="true"/></w:rPr><w:t>secret</w:t></w:r></w:p>',
        '<w:p><w:r><w:rPr><w:rStyle w:val="Ghost"/></w:rPr><w:t>secret</w:t></w:r></w:p>',
        '<w:p><w:pPr><w:pStyle w:val="Ghost"/></w:pPr><w:r><w:t>secret</w:t></w:r></w:p>',
        "<w:p><w:r><w:instrText>secret</w:instrText></w:r></w:p>",
        f"<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{paragraph('secret')}</w:sdtContent></w:sdt>",
        "<w:p><w:r><w:t><!-- secret --></w:t></w:r></w:p>",
    ],
)
def test_what_the_document_does_not_show_is_not_read(hidden):
    styles = document(
        '<w:style w:styleId="Ghost"><w:rPr><w:vanish/></w:rPr></w:style><w:style w:styleId="Bold"/>',
        root="styles",
    )
    lines = body_of(
        paragraph("before") + hidden + paragraph("after"),
        more={"styles.xml": styles},
        targets={"styles.xml": "styles"},
    )
    assert lines == ["before", "after"]


@pytest.mark.parametrize(
    "shown",
    [
        "<w:p><w:ins><w:r><w:t>new</w:t></w:r></w:ins></w:p>",
        "<w:p><w:moveTo><w:r><w:t>new</w:t></w:r></w:moveTo></w:p>",
        '<w:p><w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t>new</w:t></w:r></w:p>',
        "<w:p><w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr><w:r><w:t>new</w:t></w:r></w:p>",
        "<w:p><w:hyperlink><w:r><w:t>new</w:t></w:r></w:hyperlink></w:p>",
        f"<w:sdt><w:sdtPr/><w:sdtContent>{paragraph('new')}</w:sdtContent></w:sdt>",
    ],
)
def test_what_the_document_shows_is_read(shown):
    assert body_of(shown) == ["new"]


def test_headers_footers_and_notes_are_read_once():
    parts = {"header1.xml": "hdr", "header2.xml": "hdr", "footnotes.xml": "footnotes", "footer1.xml": "ftr"}
    more = {name: document(paragraph(f"in {name[:6]}"), root=root) for name, root in parts.items()}
    targets = {name: name.rstrip("12.xml") for name in parts} | {"https://a.example/x": "header"}
    assert body_of(paragraph("Nurse"), more=more, targets=targets)[:2] == ["in header"[:9], "Nurse"]
    assert read_docx(docx(paragraph("Nurse"), more, targets)).split("\n") == [
        "in header",
        "Nurse",
        "in footno",
        "in footer",
    ]


def test_comments_are_not_read():
    more = {"comments.xml": document(paragraph("secret remark"), root="comments")}
    assert "secret" not in read_docx(docx(paragraph(WORDS), more, {"comments.xml": "comments"}))


def test_the_strict_form_and_other_names_of_the_main_part_are_read():
    text = document(f"<w:body>{paragraph(WORDS)}</w:body>", namespace=STRICT)
    assert read_docx(zipped({"word/document.xml": text})) == WORDS
    other = {"_rels/.rels": relations({"/word/document2.xml": "officeDocument"}), "word/document2.xml": text}
    assert read_docx(zipped(other)) == WORDS


@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_parts_in_other_encodings_are_read(codec):
    text = document(paragraph("Köchin in Bern, Köniz")).replace("UTF-8", codec.upper())
    assert read_docx(zipped({"word/document.xml": text.encode(codec)})) == "Köchin in Bern, Köniz"


def test_ligatures_and_accents_are_spelled_out():
    assert body_of(paragraph("of\ufb01ce, u\u0308ber, a\xadb")) == ["office, über, ab"]
    assert read_odt(odt("<text:p>of\ufb01ce, u\u0308ber</text:p>")).endswith("\noffice, über")


def test_a_picture_in_a_document_is_no_text():
    with pytest.raises(ProfileError, match="holds no text"):
        read_docx(docx("<w:p><w:r><w:drawing/></w:r></w:p>"))


# --- ODT ---


def test_odt_shows_what_it_shows():
    styles = (
        '<style:style style:name="Ghost"><style:text-properties text:display="none"/></style:style>'
        '<style:style style:name="Bold"><style:text-properties/></style:style>'
    )
    text = read_odt(
        odt(
            "<text:tracked-changes><text:changed-region><text:deletion><text:p>secret</text:p></text:deletion>"
            "</text:changed-region></text:tracked-changes>"
            '<text:h>Registered<text:s text:c="3"/>nurse</text:h>'
            '<text:p><text:span text:style-name="Bold">Bern</text:span><text:tab/>2019<text:line-break/>'
            "Köniz</text:p>"
            '<text:p text:style-name="Ghost">secret</text:p>'
            '<text:p>a<text:span text:style-name="Ghost">secret</text:span></text:p>'
            "<text:p>b<office:annotation><text:p>secret</text:p></office:annotation></text:p>"
            '<text:section text:display="none"><text:p>secret</text:p></text:section>',
            styles,
        )
    )
    assert text.split("\n") == ["Jo Doe, page", "Registered nurse", "Bern 2019", "Köniz", "a", "b"]


# --- PDF ---


@needs_pypdf
@pytest.mark.parametrize("compressed", [True, False])
def test_a_page_is_read_line_by_line(compressed):
    data = pdf("Registered nurse (ICU)\nKöchin – 5 years", compressed=compressed)
    assert read_pdf(data) == "Registered nurse (ICU)\nKöchin – 5 years"


@needs_pypdf
def test_letters_come_from_the_map_of_the_font():
    assert read_pdf(pdf_in_unicode("Kraków, медсестра, nurse")) == "Kraków, медсестра, nurse"


@needs_pypdf
def test_a_font_that_names_no_letters_is_an_error_and_no_profile():
    with pytest.raises(ProfileError, match="which letters"):
        read_pdf(pdf_in_unicode("Registered nurse in intensive care", mapped=False))


@needs_pypdf
def test_columns_are_read_one_after_the_other():
    left, right = ["Skills", "Triage", "ECG"], ["Work", "Nurse, Bern", "Cook, Basel"]
    data = pdf(lines_of(left) + b"\n" + lines_of(right, x=300))
    assert read_pdf(data).split("\n") == [*left, *right]


@needs_pypdf
def test_what_was_written_into_a_form_is_read():
    field = b"<< /FT /Tx /T (%b) /V (%b) >>"
    form = b"/AcroForm << /Fields [40 0 R 41 0 R 42 0 R] >>"
    more = {
        40: field % (b"Job", b"Registered nurse"),
        41: field % (b"Town", b"Bern"),
        42: field % (b"Age", b""),
    }
    assert read_pdf(pdf("Your job:", catalog=form, more=more)) == "Your job:\nRegistered nurse\nBern"


@needs_pypdf
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (SCAN, "no text layer.*OCR"),
        (pdf(""), "no text layer"),
        (pdf("1", "2", "Page 3 of 3"), "no text layer"),
        (pdf("Scanned by CamScanner", "Scanned by CamScanner"), "no text layer"),
        (pdf("Please wait...\nIf this message is not eventually replaced"), "only Adobe"),
        (pdf("For the best experience, open this PDF portfolio in Acrobat X"), "only Adobe"),
        (b"%PDF-1.4\n%%EOF", "damaged"),
        (pdf(WORDS)[:200], "damaged"),
        (b"%PDF-", "damaged"),
    ],
    ids=range(9),
)
def test_a_pdf_without_a_cv_is_an_error_and_no_profile(tmp_path, data, reason):
    (tmp_path / "cv.pdf").write_bytes(data)
    with pytest.raises(ProfileError, match=reason) as caught:
        read_cv(tmp_path / "cv.pdf")
    assert "cv.pdf: " in str(caught.value)


def encrypted(user: str, algorithm: str) -> bytes:
    import pypdf

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf(WORDS)))
    writer.encrypt(user, "owner", algorithm=algorithm)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


@needs_pypdf
def test_an_encrypted_pdf_is_refused_and_one_that_everybody_may_read_is_read():
    with pytest.raises(ProfileError, match="encrypted: save it without a password"):
        read_cv(io.BytesIO(encrypted("secret", "RC4-128")))
    assert read_cv(io.BytesIO(encrypted("", "RC4-128"))).text == WORDS


@needs_pypdf
def test_aes_without_its_package_says_what_to_install():
    if importlib.util.find_spec("cryptography") or importlib.util.find_spec("Crypto"):
        pytest.skip("a package for AES is installed")
    filters = b"/CF << /StdCF << /CFM /AESV2 /Length 16 /AuthEvent /DocOpen >> >> /StmF /StdCF /StrF /StdCF"
    # The older algorithm shares its check of passwords with AES-128; only the content needs AES.
    data = encrypted("", "RC4-128").replace(b"/V 2", b"/V 4 " + filters).replace(b"/R 3", b"/R 4")
    with pytest.raises(ProfileError, match=r"AES.*pip install cryptography"):
        read_cv(io.BytesIO(data))


# --- layout ---


@pytest.mark.parametrize(
    ("pages", "wanted"),
    [
        (["Kranken-\npflege"], "Krankenpflege"),
        (["manage-\nment of wards"], "management of wards"),
        (["full-\ntime"], "full-time"),
        (["front-end, front-\nend"], "front-end, front-end"),
        (["Teamwork, team-\nwork"], "Teamwork, teamwork"),
        (["Projekt-\nund Teamleitung"], "Projekt- und Teamleitung"),
        (["IT-\nBerater"], "IT-Berater"),
        (["2019-\n2021"], "2019-\n2021"),
        (["a -\nb"], "a -\nb"),
        (["nurs\xading and nurs\xad\ning"], "nursing and nursing"),
        (["ofﬁce, eﬀort, ﬂow"], "office, effort, flow"),
        (["of\uf001ce, \uf002ow, \uf001 music"], "office, flow, music"),
        (["Ko\u0308chin"], "Köchin"),
        (["K¨ uche, Ren´e"], "Küche, René"),
        (["• Triage\n\uf0b7 ECG\n– Cook"], "Triage\nECG\n– Cook"),
        (["E X P E R I E N C E"], "EXPERIENCE"),
        (["C U R R I C U L U M  V I T A E"], "CURRICULUM VITAE"),
        (["C, R, D"], "C, R, D"),
        (["Jo Doe\nNurse\n1", "Jo Doe\nCook\n2", "Jo Doe\nBaker\n3"], "Jo Doe\nNurse\nCook\nBaker"),
        (["CV Jo, page 1 of 2\nNurse", "CV Jo, page 2 of 2\nCook"], "CV Jo, page 1 of 2\nNurse\nCook"),
        (["Nurse\nSeite 1 von 2", "Cook\n- 2 -"], "Nurse\nCook"),
        (["a\nb\nNurse\nc\nd\ne", "x\ny\nz\nNurse\nv\nw"], "a\nb\nNurse\nc\nd\ne\nx\ny\nz\nNurse\nv\nw"),
        (["Nurse\nNurse\nNurse\nNurse\nNurse"], "Nurse\nNurse\nNurse\nNurse\nNurse"),
        ([], ""),
        (["", ""], ""),
    ],
)
def test_what_pages_do_to_a_text_is_undone(pages, wanted):
    assert join_pages(pages) == wanted


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.text(st.characters(categories=["Ll", "Lu", "Nd", "Zs"]) | st.sampled_from("-\n"), max_size=80),
        max_size=5,
    )
)
@example(["0\n"])
def test_layout_loses_no_letter_of_a_page_that_repeats_nothing(pages):
    pages = [f"{chr(97 + place) * 9} {page}" for place, page in enumerate(pages)]
    text = join_pages(pages)
    assert join_pages([text]) == text or "-" in text
    for place in range(len(pages)):
        assert chr(97 + place) * 9 in text


def test_a_document_of_numbers_holds_no_words():
    with pytest.raises(ProfileError):
        require_words("1 2 3 a b c 2019-2020")
    assert require_words("Köchin in Bern")


# --- the child process ---


@needs_pypdf
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_are_refused_with_a_reason(name):
    make, reason = HOSTILE[name]
    with pytest.raises(ProfileError, match=reason):
        read_cv(io.BytesIO(make()))


def test_time_and_memory_are_limited():
    long = docx(paragraph(WORDS) * 50_000)
    with pytest.raises(ProfileError, match="too long"):
        read_isolated("docx", long, Limits(seconds=0.001))
    if sys.platform != "linux":
        pytest.skip("memory is limited on Linux")
    large = docx(f'<w:p w:a="{"x" * (7 << 20)}"/>')
    with pytest.raises(ProfileError, match=r"memory|broke"):
        read_isolated("docx", large, Limits(memory=24 << 20))
    with pytest.raises(ProfileError, match="too long"):
        read_isolated("docx", long, Limits(processor_seconds=0))


def test_more_text_than_allowed_is_refused():
    with pytest.raises(ProfileError, match="more than 10 bytes of text"):
        read_isolated("docx", docx(paragraph(WORDS)), Limits(text=10))


def test_a_child_that_says_too_much_or_dies_is_a_typed_error(monkeypatch):
    for code, reason in [
        ("sys.stdin.buffer.read(); sys.stdout.write('+' + 'x' * 5_000_000)", "too much"),
        ("os._exit(3)", "broke the DOCX parser"),
        ("os.abort()", "broke the DOCX parser"),
        ("print('?')", "broke the DOCX parser"),
        ("time.sleep(60)", "too long"),
    ]:
        monkeypatch.setattr(isolation, "_START", f"import os, sys, time; {code}")
        with pytest.raises(ProfileError, match=reason):
            read_isolated("docx", b"PK" * 1_000_000, Limits(seconds=2))


def test_no_interpreter_is_a_typed_error(monkeypatch):
    for executable, reason in [("", "needs a Python interpreter"), ("/no/such/python", "no child process")]:
        monkeypatch.setattr(sys, "executable", executable)
        with pytest.raises(ProfileError, match=reason):
            read_isolated("docx", docx(paragraph(WORDS)))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for child processes in /proc")
def test_an_interrupt_ends_the_child(monkeypatch):
    monkeypatch.setattr(isolation, "_START", "import sys, time; sys.stdin.buffer.read(); time.sleep(60)")
    children = []

    def interrupt(*_arguments):
        raise KeyboardInterrupt

    started = subprocess.Popen

    def start(*arguments, **options):
        child = started(*arguments, **options)
        children.append(child)
        child.stdout.close()
        child.stdout = io.BytesIO()
        child.stdout.read = interrupt
        return child

    monkeypatch.setattr(isolation.subprocess, "Popen", start)
    with pytest.raises(KeyboardInterrupt):
        read_isolated("docx", b"PK")
    assert children[0].returncode is not None
    assert not Path(f"/proc/{children[0].pid}").exists()


@needs_pypdf
def test_threads_may_read_documents_at_once():
    files = [pdf(f"{WORDS} number {number}") for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(lambda data: read_cv(io.BytesIO(data)).text, files))
    assert texts == [f"{WORDS} number {number}" for number in range(8)]
    assert threading.active_count() < 10


def test_the_parent_loads_no_parser_of_documents(tmp_path):
    (tmp_path / "cv.docx").write_bytes(docx(paragraph(WORDS)))
    code = (
        "import sys; from matcher import read_cv; print(read_cv('cv.docx'));"
        "print([name for name in ('pypdf', 'pyexpat', 'matcher.documents.docx') if name in sys.modules])"
    )
    shown = run(code, tmp_path)
    assert shown.split("\n")[:2] == [f"Profile(<{len(WORDS)} characters>)", "[]"]


def test_nothing_is_left_on_the_disk(tmp_path):
    (tmp_path / "cv.docx").write_bytes(docx(paragraph(WORDS)))
    run("from matcher import read_cv; read_cv('cv.docx')", tmp_path, TMPDIR=str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["cv.docx"]


@needs_pypdf
def test_nothing_in_the_current_folder_or_the_environment_is_run(tmp_path):
    for name in ("zipfile", "pypdf", "matcher", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('run by mistake')")
    (tmp_path / "cv.pdf").write_bytes(pdf(WORDS))
    before = Path.cwd()
    os.chdir(tmp_path)
    os.environ["PYTHONPATH"] = str(tmp_path)
    try:
        assert read_cv("cv.pdf").text == WORDS
    finally:
        os.chdir(before)
        del os.environ["PYTHONPATH"]


def run(code: str, folder: Path, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=folder,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    return result.stdout


def test_without_the_extra_the_message_says_what_to_install(tmp_path):
    (tmp_path / "cv.pdf").write_bytes(pdf(WORDS))
    (tmp_path / "cv.docx").write_bytes(docx(paragraph(WORDS)))
    code = (
        "import sys; sys.modules['pypdf'] = None\n"
        "from matcher import ProfileError, read_cv\n"
        "print(read_cv('cv.docx'))\n"
        "try: read_cv('cv.pdf')\n"
        "except ProfileError as error: print(error)\n"
    )
    assert run(code, tmp_path).split("\n")[:2] == [
        f"Profile(<{len(WORDS)} characters>)",
        "cv.pdf: reading PDF needs the package pypdf: pip install 'pypdf>=7', or save the CV as text (.txt)",
    ]


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.connect", ()),
        ("subprocess.Popen", ()),
        ("os.system", ("ls",)),
        ("os.fork", ()),
        ("os.remove", ("a",)),
        ("open", ("a", "w", 0)),
        ("open", ("a", "r+", 0)),
        ("open", ("a", None, os.O_WRONLY | os.O_CREAT)),
    ],
)
def test_the_child_may_not_do_what_a_reader_has_no_need_of(event, arguments):
    with pytest.raises(PermissionError):
        refuse(event, arguments)
    refuse("open", ("a", "rb", os.O_RDONLY))
    refuse("os.listdir", ("a",))
    refuse("import", ("os",))


def test_an_answer_never_quotes_the_document(monkeypatch):
    for error in (
        ValueError("Jo Doe"),
        MemoryError("Jo Doe"),
        RecursionError("Jo Doe"),
        ImportError("Jo Doe"),
    ):

        def fail(_data, error=error):
            raise error

        row = READERS["docx"]
        monkeypatch.setattr("matcher.documents.child.READERS", {"docx": type(row)("DOCX", row.endings, fail)})
        found = answer("docx", b"PK", 1 << 20, 10)
        assert found.startswith(b"-")
        assert b"Doe" not in found


# --- any bytes ---


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["docx", "odt"]), st.data())
def test_damaged_archives_are_a_text_or_a_profile_error(key, data):
    changed = bytearray(samples()[key])
    for place in data.draw(st.lists(st.integers(0, len(changed) - 1), max_size=8)):
        changed[place] = data.draw(st.integers(0, 255))
    found = answer(key, bytes(changed[: data.draw(st.integers(1, len(changed)))]), 1 << 28, 1 << 20)
    assert found[:1] in {b"+", b"-"}
    assert found[1:].strip()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([*ENDINGS, ".doc"]))
@example(b"PK\x03\x04", "")
@example(b"\xef\xbb\xbf%PDF-", ".txt")
def test_any_beginning_is_a_format_or_a_profile_error(data, ending):
    try:
        key = recognise(data, ending)
    except ProfileError:
        return
    assert key in READERS


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["basics", "name", "keywords", *SECTIONS]), inner, max_size=4)
        ),
        max_leaves=20,
    )
)
def test_any_json_is_a_text_or_a_profile_error(value):
    try:
        text = read_json_resume(json.dumps(value).encode())
    except ProfileError:
        return
    assert "\n\n" not in text


# --- on the command line ---


@needs_pypdf
def test_matcher_rank_reads_a_pdf_from_a_file_and_from_standard_input(tmp_path):
    (tmp_path / "cv.pdf").write_bytes(pdf("Registered nurse on an intensive care ward"))
    command = [
        sys.executable,
        "-m",
        "matcher",
        "rank",
        "--model",
        str(ROOT / "models" / "demo"),
        "--json",
        "-k",
        "2",
    ]
    named = subprocess.run([*command, str(tmp_path / "cv.pdf")], capture_output=True, check=True, cwd=ROOT)
    with (tmp_path / "cv.pdf").open("rb") as file:
        piped = subprocess.run([*command, "-"], stdin=file, capture_output=True, check=True, cwd=ROOT)
    assert json.loads(named.stdout) == json.loads(piped.stdout)
    assert len(json.loads(named.stdout)) == 2


def test_fonts_of_the_made_files_are_declared():
    assert b"WinAnsi" in HELVETICA
