"""Text before matching: one normal form, and what an account itself wrote.

Both follow the wire habits of the feeds: entities escaped twice, bold letters
from Unicode, quotes and retweets written into the body.
"""

from __future__ import annotations

import html
import re
import unicodedata

SCAN_BYTES_MAX = 65_536
# Marks on one letter beyond these are dropped: sorting them costs the square of their number.
MARKS_MAX = 30
GROWTH_MAX = 2

_BREAK = re.compile(r"<br\s*/?\s*>", re.IGNORECASE)
# Within one line: a lone < may not swallow the marks of a quote below it.
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,200}>")
_LINE_END = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_LONG_REFERENCE = re.compile(r"&#[0-9]{8,};?")  # no character has such a number
# Only what changes something: single blanks, the most of them, stay as they are.
_BLANKS = re.compile(r"[^\S\n ][^\S\n]*| [^\S\n]+")
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
# An address without its scheme: the first word of its kind to hold a dot and then a slash.
_BARE_URL = re.compile(r"(?<!\S)[^\s/.]+(?:\.[^\s/.]+)*\.[A-Za-z]{2,24}/\S*")
_QUOTE_LINE = re.compile(r"^ ?Quote \[@", re.MULTILINE)
# A machine translation may stand in brackets above the account's own words, or the header.
_TRANSLATION = re.compile(r"\A\[[^\n]*\][ ]*\n")
_RETWEET = re.compile(r"(?:\[[^\n]*\]\s*\n\s*)?(?:[^\n]{0,100}? retweeted @\w{1,30}:|[Rr][Tt] @)")
_REPLY_HEADER = re.compile(r"^>>REPLY [^\n]*?\(@\w{1,30}\):?", re.MULTILINE)
_QUOTE_MARK = re.compile(r">>(?:QUOTE|RT)\b")

_FOLDED = dict.fromkeys("‘’‛ʼ´`＇", "'") | dict.fromkeys("“”„‟", '"')
_FOLDED |= dict.fromkeys("‐‑‒–—―−﹣－", "-")
# Marks that do not say so themselves, taken apart so that they count as such.
_FOLDED |= {"\u0f73": "\u0f71\u0f72", "\u0f75": "\u0f71\u0f74", "\u0f81": "\u0f71\u0f80"}
_FOLDED |= {"\uff9e": "\u3099", "\uff9f": "\u309a"}
_TO_FOLD = re.compile("[" + "".join(_FOLDED) + "]")
_STACKED = re.compile(rb"[^\0]{%d,}" % (MARKS_MAX + 1))
# Zero-width and bidirectional controls, fillers, selectors: invisible, so they may not split a
# word. Lone surrogates are no characters at all.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)


def normalise(text: str) -> str:
    """The form in which all rules see text.

    Entities unescaped twice, breaks as newlines, tags dropped, NFKC, invisible
    characters deleted, typographic quotes and dashes as ASCII, blanks
    collapsed. Homoglyphs are left alone: they simply do not match.
    """
    if "&" in text:
        text = _unescaped(_unescaped(text))
    if text.isascii() and text.isprintable() and "<" not in text and "  " not in text:
        return text
    text = _LINE_END.sub("\n", text)
    if "<" in text:
        text = _TAG.sub("", _BREAK.sub("\n", text))
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _unstacked(_folded(text)))
        text = _folded(_INVISIBLE.sub("", text))
    return _BLANKS.sub(" ", text)


def grows(text: str, normal: str) -> bool:
    """Whether a normal form is so much longer than its text that it was made to be."""
    return len(normal) > GROWTH_MAX * len(text)


def too_long(text: str) -> bool:
    """Whether ``text`` is longer than what rules scan, in bytes of UTF-8."""
    if len(text) * 4 <= SCAN_BYTES_MAX:
        return False
    return len(text.encode("utf-8", "surrogatepass")) > SCAN_BYTES_MAX


def _unescaped(text: str) -> str:
    return html.unescape(_LONG_REFERENCE.sub("\ufffd", text))


def _folded(text: str) -> str:
    return _TO_FOLD.sub(lambda found: _FOLDED[found[0]], text)


def _unstacked(text: str) -> str:
    """``text`` with no letter carrying more than ``MARKS_MAX`` marks."""
    classes = bytes(map(unicodedata.combining, text))
    kept, start = [], 0
    for run in _STACKED.finditer(classes):
        kept.append(text[start : run.start() + MARKS_MAX])
        start = run.end()
    return "".join([*kept, text[start:]]) if kept else text


def without_urls(text: str) -> str:
    """``text`` with web addresses blanked out."""
    if "://" in text or "www." in text.lower():
        text = _URL.sub(" ", text)
    return _BARE_URL.sub(" ", text) if "/" in text and "." in text else text


def is_retweet_text(text: str) -> bool:
    """Whether a post's text says that it repeats another account, whatever its flags say."""
    return _RETWEET.match(text.strip()) is not None


def is_reply_text(text: str, markup: str) -> bool:
    """Whether a post's body repeats what it replies to, whatever its flags say."""
    return markup == "phoenix" and ">>" in text and _REPLY_HEADER.search(text) is not None


def own_text(text: str, markup: str) -> str:
    """What the account itself wrote, without quotes, repeats and addresses.

    ``text`` is normalised; ``markup`` is ``tree`` or ``phoenix``, anything
    else has no quotes in its text.
    """
    if markup == "phoenix":
        text = _own_phoenix(text)
    elif markup == "tree":
        text = _own_tree(text)
    return without_urls(text).strip()


def _own_tree(text: str) -> str:
    if text.startswith("["):
        text = _TRANSLATION.sub("", text)
    quote = _QUOTE_LINE.search(text) if "Quote [@" in text else None
    if quote is not None:
        text = text[: quote.start()]
    if ">" not in text:
        return text
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(">"))


def _own_phoenix(text: str) -> str:
    if ">>" not in text:
        return text
    reply = _REPLY_HEADER.search(text)
    if reply is not None:
        text = text[reply.end() :]
    mark = _QUOTE_MARK.search(text)
    return text if mark is None else text[: mark.start()]


_STALE = re.compile(r"\[\s*\d+\s*(?:minute|hour|day)s?\s+ago\s*\]", re.IGNORECASE)


def stale_mark(title: str) -> str:
    """The words by which a title says that its story is re-delivered, as ``[272 minutes ago]``."""
    found = _STALE.search(title) if "[" in title else None
    return found[0] if found is not None else ""
