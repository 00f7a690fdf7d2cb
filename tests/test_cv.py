"""A CV becomes a profile, or one typed error; its text shows up nowhere else."""

import io
import os
import pickle
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import Profile, ProfileError, read_cv
from matcher.cv import LARGEST_CV

SECRET = "Jo Doe, born 1990-01-01, nurse"


@pytest.mark.parametrize("name", ["cv.txt", "cv.text", "cv.TXT", "cv", ".hidden"])
def test_a_plain_file_is_read_as_it_is(tmp_path, name):
    (tmp_path / name).write_text("*Nurse* <b>C++</b>", encoding="utf-8")
    assert read_cv(tmp_path / name).text == "*Nurse* <b>C++</b>"
    assert read_cv(str(tmp_path / name)).text == "*Nurse* <b>C++</b>"


@pytest.mark.parametrize("name", ["cv.md", "cv.markdown", "cv.MD"])
def test_a_markdown_file_is_read_without_its_markup(tmp_path, name):
    (tmp_path / name).write_text("# Nurse\n\n* **C++** [x](https://a.example)", encoding="utf-8")
    assert read_cv(tmp_path / name).text == "Nurse\nC++ x"


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ("Köchin\r\nBern\r".encode(), "Köchin\nBern\n"),
        ("Köchin".encode("utf-8-sig"), "Köchin"),
        ("Köchin".encode("utf-16"), "Köchin"),
        ("Köchin – 5 €".encode("cp1252"), "Köchin – 5 €"),
        ("What‚Äôs next".encode(), "What’s next"),
        ("KÃ¶chin".encode(), "Köchin"),
    ],
)
def test_every_encoding_gives_the_same_text(tmp_path, data, wanted):
    (tmp_path / "cv.txt").write_bytes(data)
    assert read_cv(tmp_path / "cv.txt").text == wanted
    assert read_cv(io.BytesIO(data)).text == wanted
    with (tmp_path / "cv.txt").open("rb") as file:
        assert read_cv(file).text == wanted


def test_an_open_text_file_is_read():
    assert read_cv(io.StringIO("Nurse")).text == "Nurse"
    assert "Nurse" in read_cv(io.StringIO("\ud83d Nurse")).text


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("cv.txt", b"", "empty"),
        ("cv.txt", b" \r\n\t\xc2\xa0", "empty"),
        ("cv.txt", b"\xef\xbb\xbf", "empty"),
        ("cv.md", b"<!-- nothing -->", "empty"),
        ("cv.txt", b"PK\x03\x04\x00\x00", "no zip archive"),
        ("cv.txt", b"Nurse\0", "not text"),
        ("cv.md", b"<b>" * 20_000, "nested"),
        ("cv.txt", b"x" * (LARGEST_CV + 1), "larger"),
        ("cv.pdf", b"%PDF", r"\.pdf"),
        ("cv.docx", b"PK", r"\.docx"),
        ("cv.html", b"<b>", r"\.html"),
    ],
)
def test_what_is_no_cv_is_refused_with_its_name(tmp_path, name, data, reason):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ProfileError, match=reason) as caught:
        read_cv(tmp_path / name)
    assert name in str(caught.value)


def test_the_largest_cv_is_read(tmp_path):
    (tmp_path / "cv.txt").write_bytes(b"x" * LARGEST_CV)
    assert len(read_cv(tmp_path / "cv.txt").text) == LARGEST_CV


def test_a_file_of_a_gigabyte_is_refused_without_reading_it(tmp_path):
    with (tmp_path / "cv.txt").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(ProfileError, match="larger"):
        read_cv(tmp_path / "cv.txt")


@pytest.mark.parametrize(
    "origin",
    [
        "no/such/cv.txt",
        "",
        ".",
        "/dev/zero",
        "/dev/null",
        "a\0b.txt",
        "x" * 5_000 + ".txt",
        None,
        5,
        b"Nurse",
        ["cv.txt"],
    ],
    ids=lambda origin: repr(origin)[:30],
)
def test_what_cannot_be_opened_is_one_typed_error(origin):
    with pytest.raises(ProfileError):
        read_cv(origin)


def test_folders_and_links_that_lead_nowhere_are_refused(tmp_path):
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    (tmp_path / "gone.txt").symlink_to("nowhere.txt")
    for name in ("folder.txt", "loop.txt", "gone.txt"):
        with pytest.raises(ProfileError, match=name):
            read_cv(tmp_path / name)


def test_a_pipe_with_a_writer_is_read():
    # What a shell hands over for <(command).
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file:
        file.write(b"Nurse from a pipe")
    try:
        assert read_cv(f"/dev/fd/{reading}").text == "Nurse from a pipe"
    finally:
        os.close(reading)


def test_a_pipe_is_waited_for_until_its_writer_comes(tmp_path):
    path = tmp_path / "pipe.txt"
    os.mkfifo(path)
    texts = []
    thread = threading.Thread(target=lambda: texts.append(_text_or_error(path)), daemon=True)
    thread.start()
    time.sleep(0.3)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)  # fails when nobody reads any more
        os.write(descriptor, b"Nurse, late")
        os.close(descriptor)
    except OSError:
        pass
    thread.join(10)
    assert texts == ["Nurse, late"]


def _text_or_error(path):
    try:
        return read_cv(path).text
    except ProfileError as error:
        return error


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_profile_or_a_profile_error(data):
    try:
        profile = read_cv(io.BytesIO(data))
    except ProfileError:
        return
    assert profile.text.strip()


# --- a profile gives nothing away ---


def test_a_profile_never_shows_its_text():
    profile = Profile(SECRET)
    for shown in (repr(profile), str(profile), f"{profile}", f"{[profile]}", "%s" % profile):  # noqa: UP031
        assert "Doe" not in shown
        assert "nurse" not in shown


@pytest.mark.parametrize("suffix", [".txt", ".md", ".pdf"])
def test_an_error_about_a_cv_never_quotes_it(tmp_path, suffix):
    path = tmp_path / f"cv{suffix}"
    path.write_bytes(SECRET.encode() + b"\0")
    with pytest.raises(ProfileError) as caught:
        read_cv(path)
    assert "Doe" not in repr(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(ProfileError) as caught:
        Profile(SECRET.encode())
    assert "Doe" not in repr(caught.value)


@pytest.mark.parametrize("text", [None, 5, b"Nurse", ["Nurse"]])
def test_a_profile_needs_text(text):
    with pytest.raises(ProfileError):
        Profile(text)


def test_a_profile_is_a_value():
    assert Profile("a") == Profile("a") != Profile("b")
    assert len({Profile("a"), Profile("a")}) == 1
    assert pickle.loads(pickle.dumps(Profile("a"))) == Profile("a")
    with pytest.raises(AttributeError):
        Profile("a").text = "b"
