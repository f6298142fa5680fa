"""Which encoding a file has: its byte order mark, UTF-8, the caller's word, or an error that names a
guess."""

from __future__ import annotations

import codecs
from typing import Any

from charset_normalizer import from_bytes

from accounts.sentences import Sentence
from accounts.sentences import gettext_noop as _
from annotation.intake.records import IntakeError
from annotation.intake.source import line_safe

# UTF-32 first: its little-endian mark begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
GUESS_BYTES = 65_536


def choose_encoding(
    sample: bytes, name: str, given: str | None, *, whole: bool
) -> tuple[str, str, list[Sentence]]:
    """(encoding, the sample's text, warnings) for the file that begins with `sample`.

    A byte order mark wins over `given`, which wins over UTF-8. UTF-8 is taken too where most lines that are
    not plain ASCII are valid: the others become bad rows. `whole` says that the sample is all there is.
    Raises `IntakeError` with code "encoding", and a `guess` where there is one, or code "binary" for what
    is no text.
    """
    marked = next((encoding for mark, encoding in MARKS if sample.startswith(mark)), None)
    if marked:
        return marked, _text(sample, marked), []
    if given:
        return _given(sample, name, given)
    zeros = sample.count(0)
    if zeros > len(sample) // 5:
        raise _wide_or_binary(sample, name)
    try:
        return "utf-8", codecs.getincrementaldecoder("utf-8")().decode(sample, final=False), []
    except UnicodeDecodeError as error:
        valid, invalid = _count_lines(sample, whole=whole)
        if valid > invalid:
            warning = Sentence(
                _("%(invalid)s of the first lines are not valid UTF-8: they are listed as bad rows"),
                invalid=invalid,
            )
            return "utf-8", sample.decode("utf-8", "replace"), [warning]
        raise _not_utf8(sample, name, error) from error


def _given(sample: bytes, name: str, given: str) -> tuple[str, str, list[Sentence]]:
    try:
        known = codecs.lookup(given)
        if not known._is_text_encoding:  # base64 and its like are codecs too
            raise LookupError
        text = _text(sample, known.name)
    except (LookupError, UnicodeError) as error:
        if isinstance(error, UnicodeError):
            message = Sentence(
                _("%(name)s cannot be read as %(given)s (%(reason)s): choose another encoding"),
                name=name,
                given=given,
                reason=error,
            )
            raise IntakeError("encoding", message) from error
        message = Sentence(
            _("encoding %(given)s is not known: try utf-8, utf-16, cp1252, gb18030, big5 or shift_jis"),
            given=repr(given),
        )
        raise IntakeError("encoding", message) from error
    encoding = "utf-8" if known.name == "utf-8-sig" else known.name
    if "�" in text and line_safe(encoding):
        return (
            encoding,
            text,
            [
                Sentence(
                    _("some of the first lines are not valid %(encoding)s: they are listed as bad rows"),
                    encoding=encoding,
                )
            ],
        )
    return encoding, text, []


def _text(sample: bytes, encoding: str) -> str:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    return decoder.decode(sample, final=False).removeprefix("\ufeff")


def _count_lines(sample: bytes, *, whole: bool) -> tuple[int, int]:
    """How many of the sample's lines with bytes above ASCII are valid UTF-8, and how many are not."""
    valid = invalid = 0
    lines = sample.replace(b"\r", b"\n").split(b"\n")
    for line in lines if whole else lines[:-1]:
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
            valid += 1
        except UnicodeDecodeError:
            invalid += 1
    return valid, invalid


def _not_utf8(sample: bytes, name: str, error: UnicodeDecodeError) -> IntakeError:
    line = sample.count(b"\n", 0, error.start) + 1
    found: dict[str, Any] = {"name": name, "byte": f"{sample[error.start]:02x}", "line": line}
    guess = _guess(sample)
    if guess is None:
        bare = _(
            "%(name)s is not UTF-8 (byte 0x%(byte)s in line %(line)s): save it as UTF-8, or say which encoding "
            "it has"
        )
        return IntakeError("encoding", bare, **found)
    likely = _(
        "%(name)s is not UTF-8 (byte 0x%(byte)s in line %(line)s). It looks like %(guess)s: choose this "
        "encoding if the preview reads well, or save it as UTF-8"
    )
    return IntakeError("encoding", likely, guess=guess, **found)


def _guess(sample: bytes) -> str | None:
    """The encoding that the non-ASCII lines of the sample seem to have; None where nothing fits."""
    lines = [line for line in sample.splitlines() if not line.isascii()]
    best = from_bytes(b"\n".join(lines)[:GUESS_BYTES]).best()
    return best.encoding if best else None


def _wide_or_binary(sample: bytes, name: str) -> IntakeError:
    """Every other byte zero: UTF-16 without its mark. Anything else with so many zeros is no text."""
    head = sample[: len(sample) // 2 * 2]
    even, odd = head[::2].count(0), head[1::2].count(0)
    for guess, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros > 10 * others:
            bare = _(
                "%(name)s looks like %(guess)s without a byte order mark: choose it, or save the file as UTF-8"
            )
            return IntakeError("encoding", bare, guess=guess, name=name)
    return IntakeError(
        "binary", _("%(name)s is no text file: choose a CSV, TSV, JSON lines or Parquet file"), name=name
    )
