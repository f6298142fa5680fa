"""A file as a stream of byte blocks: gzip unpacked, exotic encodings turned into UTF-8, a cut-off file
noticed.

Memory is one block whatever the file: gzip is unpacked at most a block at a time, so a small file that
unpacks to gigabytes costs no more than a large one.
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from accounts.sentences import SentenceError
from accounts.sentences import gettext_noop as _

BLOCK = 1 << 18
GZIP_MAGIC = b"\x1f\x8b"
_ZLIB_GZIP = 31

# In these encodings the byte of a line end never stands inside another character, so bytes may be cut into
# lines first and decoded after: one bad line then costs one line. All others are turned into UTF-8 block by
# block.
LINE_SAFE = frozenset(
    [
        "ascii",
        "utf-8",
        "iso8859-1",
        "koi8-r",
        "koi8-u",
        "gb2312",
        "gbk",
        "gb18030",
        "big5",
        "big5hkscs",
        "cp950",
    ]
    + ["shift_jis", "cp932", "euc_jp", "euc_kr", "cp949", "cp437", "cp850", "cp852", "cp866", "mac-roman"]
    + [f"iso8859-{number}" for number in range(2, 17) if number != 12]
    + [f"cp{number}" for number in range(1250, 1259)]
)


class Cut(SentenceError):
    """The stream ended before its end; it says how. What came before it has been handed out."""


def blocks(
    path: Path,
    compression: str,
    encoding: str,
    on_progress: Callable[[int, int], None] | None = None,
    *,
    keep_mark: bool = False,
) -> Iterator[bytes]:
    """Byte blocks of `path` in a line-safe encoding (see `line_encoding`), its byte order mark left out.

    `on_progress(read, size)` counts bytes of the file as it lies on disk. Raises `Cut` after the last good
    block when the file ends in the middle of a gzip stream or of a character.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        raw = _packed(file) if compression == "gzip" else _plain(file)
        stream = raw if line_safe(encoding) else _as_utf8(raw, encoding)
        mark = b"" if keep_mark else codecs.BOM_UTF8
        for block in stream:
            if block:
                yield block.removeprefix(mark)
                mark = b""
            if on_progress is not None:
                on_progress(file.tell(), size)


def line_safe(encoding: str) -> bool:
    return codecs.lookup(encoding).name in LINE_SAFE


def line_encoding(encoding: str) -> str:
    """The encoding of the bytes that `blocks` yields for a file in `encoding`."""
    return encoding if line_safe(encoding) else "utf-8"


def _plain(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def _packed(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of one or many gzip members; `Cut` when the last one has no end or its checksum is wrong."""
    unpacker = zlib.decompressobj(_ZLIB_GZIP)
    waiting = b""
    while True:
        waiting = waiting or file.read(BLOCK)
        if not waiting:
            raise Cut(_("the gzip file is cut off: its end is missing"))
        before = unpacker.copy()
        try:
            block = unpacker.decompress(waiting, BLOCK)
        except zlib.error as error:
            yield _saved(before, waiting)
            raise Cut(_("the gzip file is damaged (%(reason)s)"), reason=error) from error
        if block:
            yield block
        waiting = unpacker.unconsumed_tail
        if unpacker.eof:
            waiting = (unpacker.unused_data or file.read(BLOCK)).lstrip(b"\0")
            while not waiting and (more := file.read(BLOCK)):
                waiting = more.lstrip(b"\0")  # some writers pad the end of a gzip file with zeros
            if not waiting:
                return
            unpacker = zlib.decompressobj(_ZLIB_GZIP)


def _saved(unpacker: zlib._Decompress, packed: bytes) -> bytes:
    """What can be unpacked of a damaged block: in small steps, since a call that fails gives nothing at
    all."""
    parts = []
    try:
        for start in range(0, len(packed), 16):
            parts.append(unpacker.decompress(packed[start : start + 16]))
    except zlib.error:
        pass
    return b"".join(parts)


def _as_utf8(raw: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Blocks turned into UTF-8. What cannot be decoded becomes a lone surrogate, which no UTF-8 line may
    hold, so the line it stands in is refused later, and no other."""
    wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass" if wide else "surrogateescape")
    first = True
    try:
        for block in raw:
            text = decoder.decode(block)
            if first and text:
                text, first = text.removeprefix("\ufeff"), False
            yield text.encode("utf-8", "surrogatepass")
        yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise Cut(
            _("the file is not whole in %(encoding)s (%(reason)s)"), encoding=encoding, reason=error.reason
        ) from error
