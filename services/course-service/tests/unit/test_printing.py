"""Certificates as pages: any script, nothing fetched, and a code that a phone reads."""

from __future__ import annotations

import io
import unicodedata
from dataclasses import replace

import pypdfium2
import pytest
import weasyprint
import zxingcpp
from pypdf import PdfReader

from course_service.printing.certificate import certificate_pdf, printable
from course_service.printing.facts import CertificateFacts
from course_service.printing.printer import Printer, PrintingError

FACTS = CertificateFacts(
    learner_name="Zoë Þórdís Łukasiewicz",
    course_title="Data Structures & Algorithms",
    language="en",
    issue_date="2026-11-04",
    certificate_number="SC-2026-000042-8I",
    grade="A",
    score_percentage="93.50",
    verification_url="https://learn.example.org/api/certificates/verify/AbCdEfGhIjKlMnOpQrStUv-_",
)
PERSIAN = "فاطمه\u200cزهرا پهلوان"  # noqa: RUF001 - the joiner between them is part of the name

NAMES = {
    "Latin with marks": "Nguyễn Thị Ánh Łukasiewicz-Ærø",
    "Cyrillic": "Александра Достоевская",
    "Greek": "Ἀλέξανδρος Παπαδόπουλος",
    "Arabic": "محمد بن عبد الله الخوارزمي",
    "Persian": PERSIAN,
    "Hebrew": "אברהם בן־דוד",
    "Devanagari": "श्रीमती अनुष्का त्रिवेदी",
    "Bengali": "রবীন্দ্রনাথ ঠাকুর",
    "Tamil": "சுப்பிரமணிய பாரதி",
    "Thai": "น้ำผึ้ง ศรีสุวรรณกุล",
    "Khmer": "សុខ ស្រីមុំ",
    "Burmese": "အောင်ဆန်း",
    "Chinese": "歐陽詩涵 王小明",
    "Japanese": "𠮷野家 さくら タロウ",
    "Korean": "김철수",
    "Georgian": "ნინო ბერიძე",
    "Armenian": "Արամ Խաչատրյան",
    "Amharic": "ኃይለ ገብረሥላሴ",
    "two scripts": "Maria マリア (ماريا)",
    "long": ("Wolfeschlegelsteinhausenbergerdorff " * 8)[:255].strip(),
    "one long word": "x" * 255,
}

MISSING_GLYPH = ".notdef glyph"
"""What WeasyPrint warns of when it prints a box in place of a character."""

REORDERED = {"Khmer": {"\u17d2", "\u179a"}}
"""Parts of a cluster that is shown in another order than it is written: a page has no place to say so."""


def only_page(pdf: bytes) -> PdfReader:
    reader = PdfReader(io.BytesIO(pdf))
    assert len(reader.pages) == 1
    return reader


def letters(text: str) -> list[str]:
    """What a text is made of, whatever order and form a reader gives it in."""
    return sorted(unicodedata.normalize("NFKC", "".join(text.split())).replace("\u200c", ""))


@pytest.mark.parametrize("script", NAMES)
def test_a_name_in_any_script_is_printed_with_real_glyphs(script: str, caplog: pytest.LogCaptureFixture) -> None:
    name = NAMES[script]
    reader = only_page(certificate_pdf(replace(FACTS, learner_name=name, course_title=name[:200])))
    assert MISSING_GLYPH not in caplog.text
    unread = set(letters(name)) - set(letters(reader.pages[0].extract_text()))
    assert unread <= REORDERED.get(script, set())


def test_a_character_that_no_font_has_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    certificate_pdf(replace(FACTS, learner_name="A \U0010fffd B"))
    assert f"{MISSING_GLYPH} rendered" in caplog.text


def test_the_page_says_what_it_certifies() -> None:
    reader = only_page(certificate_pdf(FACTS))
    text = " ".join(reader.pages[0].extract_text().split())
    for said in ("Certificate of Completion", FACTS.learner_name, "Data Structures & Algorithms", "4 November 2026"):
        assert said in text
    for said in ("SC-2026-000042-8I", "93.50 %", FACTS.verification_url):
        assert said in text.replace("- ", "-")
    assert reader.metadata is not None
    assert reader.metadata.title == "Certificate SC-2026-000042-8I"
    assert (round(reader.pages[0].mediabox.width), round(reader.pages[0].mediabox.height)) == (842, 595)


def test_the_code_on_the_page_leads_to_the_verification() -> None:
    page = pypdfium2.PdfDocument(certificate_pdf(FACTS))[0].render(scale=2).to_pil()
    assert [code.text for code in zxingcpp.read_barcodes(page)] == [FACTS.verification_url]


@pytest.mark.parametrize("script", ["Latin with marks", "long", "one long word", "Chinese"])
def test_nothing_is_printed_over_something_else_or_over_the_edge(script: str) -> None:
    facts = replace(FACTS, learner_name=NAMES[script], course_title=(NAMES[script] + " ") * 4)
    page = pypdfium2.PdfDocument(certificate_pdf(replace(facts, course_title=facts.course_title[:200])))[0]
    text = page.get_textpage()
    boxes = [text.get_rect(at) for at in range(text.count_rects())]
    assert all(left > 40 and right < 842 - 40 and bottom > 20 and top < 595 - 20 for left, bottom, right, top in boxes)
    for index, (left, bottom, right, top) in enumerate(boxes):
        for other_left, other_bottom, other_right, other_top in boxes[index + 1 :]:
            wide = min(right, other_right) - max(left, other_left)
            high = min(top, other_top) - max(bottom, other_bottom)
            assert wide <= 1 or high <= 1


def test_a_name_is_text_and_never_markup() -> None:
    name = "<img src=file:///etc/passwd> <b>$number</b> &amp; {{7*7}}"
    text = only_page(certificate_pdf(replace(FACTS, learner_name=name))).pages[0].extract_text()
    assert "".join(name.split()) in "".join(text.split())


def test_the_page_fetches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    fetch = weasyprint.URLFetcher.fetch

    def watched(self: weasyprint.URLFetcher, url: str, headers: object = None) -> object:
        asked.append(url)
        return fetch(self, url, headers)

    monkeypatch.setattr(weasyprint.URLFetcher, "fetch", watched)
    certificate_pdf(FACTS)
    assert asked
    assert all(url.startswith("data:image/svg+xml") for url in asked)


def test_what_could_rearrange_a_page_is_left_out_of_a_name() -> None:
    assert printable("A\u202eB\u2066C\x07D\n E  F") == "ABCD E F"
    assert printable("e\u0301") == "é"
    assert printable(PERSIAN) == PERSIAN


async def test_one_process_prints_page_after_page_and_rests() -> None:
    printer = Printer()
    try:
        first, second = [await printer.print(replace(FACTS, grade=grade)) for grade in ("B", "C")]
        assert first.startswith(b"%PDF-")
        assert second.startswith(b"%PDF-")
        assert first != second
    finally:
        await printer.rest()
    assert (await printer.print(FACTS)).startswith(b"%PDF-")
    await printer.rest()


async def test_a_page_that_fails_says_why_and_the_next_is_printed() -> None:
    printer = Printer()
    try:
        with pytest.raises(PrintingError, match="Invalid isoformat"):
            await printer.print(replace(FACTS, issue_date="yesterday"))
        assert (await printer.print(FACTS)).startswith(b"%PDF-")
    finally:
        await printer.rest()


async def test_a_process_that_dies_or_hangs_is_replaced() -> None:
    printer = Printer()
    try:
        await printer.print(FACTS)
        assert printer._process is not None
        printer._process.kill()
        with pytest.raises(PrintingError, match="process that prints ended"):
            await printer.print(FACTS)
        assert (await printer.print(FACTS)).startswith(b"%PDF-")
        printer._timeout_seconds = 0.001
        with pytest.raises(PrintingError, match=r"nothing came in 0\.001 seconds"):
            await printer.print(FACTS)
        printer._timeout_seconds = 30.0
        assert (await printer.print(FACTS)).startswith(b"%PDF-")
    finally:
        await printer.rest()


async def test_a_page_cannot_take_all_memory() -> None:
    """The limit holds in the process that prints, and only there."""
    printer = Printer()
    try:
        every_script = " ".join(NAMES.values())
        await printer.print(replace(FACTS, learner_name=every_script[:255], course_title=every_script[255:455]))
        assert printer._process is not None
        limits = open(f"/proc/{printer._process.pid}/limits").read()  # noqa: ASYNC230, SIM115, PTH123 - one line of /proc
        line = next(line for line in limits.splitlines() if line.startswith("Max address space"))
        assert line.split()[3:5] == [str(1024 * 1024 * 1024)] * 2
    finally:
        await printer.rest()
