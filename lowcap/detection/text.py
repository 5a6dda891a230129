"""Text before matching: one normal form, and what an account itself wrote.

Both follow the wire habits of the feeds: entities escaped twice, bold letters
from Unicode, quotes and retweets written into the body.
"""

from __future__ import annotations

import html
import re
import unicodedata

SCAN_CHARACTERS_MAX = 65_536

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_BLANKS = re.compile(r"[^\S\n]+")
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_QUOTE_LINE = re.compile(r"^Quote \[@", re.MULTILINE)
_RETWEET = re.compile(r"[^\n]{0,100}? retweeted @\w{1,30}:")
_REPLY_HEADER = re.compile(r"^>>REPLY [^\n]*?\(@\w{1,30}\):?", re.MULTILINE)
_QUOTE_MARK = re.compile(r">>(?:QUOTE|RT)\b")

_ASCII_LIKE = {ord(c): "'" for c in "‘’‛ʼ´`＇"} | {ord(c): '"' for c in "“”„‟"}
_ASCII_LIKE |= {ord(c): "-" for c in "‐‑‒–—―−﹣－"}
# Zero-width and bidirectional controls: invisible, so they may not split a word.
_INVISIBLE = dict.fromkeys(
    [
        *(0x00AD, 0x061C, 0x180E, 0xFEFF),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
    ]
)


def normalise(text: str) -> str:
    """The form in which all rules see text.

    Entities unescaped twice, breaks as newlines, tags dropped, NFKC, invisible
    characters deleted, typographic quotes and dashes as ASCII, blanks
    collapsed. Homoglyphs are left alone: they simply do not match.
    """
    if "&" in text:
        text = html.unescape(html.unescape(text))
    if "<" in text:
        text = _TAG.sub("", _BREAK.sub("\n", text))
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_ASCII_LIKE))
        text = text.translate(_INVISIBLE).translate(_ASCII_LIKE)
    return _BLANKS.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))


def without_urls(text: str) -> str:
    """``text`` with web addresses blanked out."""
    return _URL.sub(" ", text) if "://" in text or "www." in text.lower() else text


def is_retweet_text(text: str) -> bool:
    """Whether a post's text says that it repeats another account, whatever its flags say."""
    return _RETWEET.match(text) is not None or text.startswith("RT @")


def own_text(text: str, markup: str) -> str:
    """What the account itself wrote, without quotes, repeats and addresses.

    ``text`` is normalised; ``markup`` is ``tree`` or ``phoenix``.
    """
    text = _own_phoenix(text) if markup == "phoenix" else _own_tree(text)
    return without_urls(text).strip()


def _own_tree(text: str) -> str:
    quote = _QUOTE_LINE.search(text)
    if quote is not None:
        text = text[: quote.start()]
    return "\n".join(line for line in text.split("\n") if not line.startswith(">"))


def _own_phoenix(text: str) -> str:
    reply = _REPLY_HEADER.search(text)
    if reply is not None:
        text = text[reply.end() :]
    mark = _QUOTE_MARK.search(text)
    return text if mark is None else text[: mark.start()]


_STALE = re.compile(r"\[\s*\d+\s*(?:minute|hour|day)s?\s+ago\s*\]", re.IGNORECASE)


def stale_mark(title: str) -> str:
    """The words by which a title says that its story is re-delivered, as ``[272 minutes ago]``."""
    found = _STALE.search(title) if "ago" in title else None
    return found[0] if found is not None else ""


def fingerprint(title: str) -> str:
    """A text key for dedupe: first line, lower case, no addresses, no punctuation."""
    line = without_urls(normalise(title)).strip().split("\n", 1)[0].lower()
    return " ".join("".join(c if c.isalnum() else " " for c in line).split())
