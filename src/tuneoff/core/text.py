"""Text that a person hands over: UTF-8, with or without a byte order mark; what is not is named, with its line.

    read_text(Path("study.toml"), "the study file")

Editors on Windows put a mark before the first letter, and spreadsheets save UTF-16. A mark is dropped, since it would
else be the first character of a prompt. Another encoding is an error: a guess would put wrong letters in silence.
"""

import codecs
from pathlib import Path

from tuneoff.core.errors import ConfigError, TuneoffError

__all__ = ["decode", "read_text"]

# The longer marks first: UTF-32 begins as UTF-16 does.
MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
LOOKED_AT = 1000  # bytes at the start of a file


def read_text(path: Path, what: str, error: type[TuneoffError] = ConfigError) -> str:
    """A whole text file with line ends as one line feed. what: the file's part, for errors, such as "the study file".

    Raises `error` where it cannot be read or is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as why:
        found = why.strerror or str(why)
        raise error(f"{what} cannot be read", where=path, found=found, fix="check the path and its rights") from None
    return decode(data, path, what, error).replace("\r\n", "\n").replace("\r", "\n")


def decode(data: bytes, where: object, what: str, error: type[TuneoffError]) -> str:
    """UTF-8 bytes as text, a byte order mark dropped. Raises `error` with the line, and the encoding where known."""
    wide = _wide(data)
    if wide:
        raise error(f"{what} is not UTF-8 text", where=f"{where}:1", found=wide, fix=_command(wide))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        raise error(
            f"{what} is not UTF-8 text",
            where=f"{where}:{data[: bad.start].count(10) + 1}",
            found=f"the byte 0x{data[bad.start]:02x}, which no UTF-8 text has there",
            fix=_command("WINDOWS-1252"),
        ) from None


def _wide(data: bytes) -> str:
    """UTF-16 or UTF-32 by its mark, or by the zero beside every letter; empty for other text."""
    marked = next((name for mark, name in MARKS if data.startswith(mark)), "")
    head = data[:LOOKED_AT]
    if marked or head.count(0) * 4 < len(head) or not head:
        return marked
    return "UTF-16LE" if head[1::2].count(0) > head[::2].count(0) else "UTF-16BE"


def _command(encoding: str) -> str:
    return f"save it as UTF-8, for example: iconv -f {encoding} -t UTF-8 OLD > NEW"
