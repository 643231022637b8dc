"""Make text from outside (release notes, container logs, error bodies) harmless for a terminal.

Printable characters, newline and tab stay. Removed is everything that moves the cursor, sets a title or the
clipboard, hides text, or turns its direction.
"""

import re
import unicodedata

#: Ends a line or a text that was cut here.
CUT_MARK = "… [cut]"
_MOST = 256 * 1024  # of a text that is looked at, as far as it is shown

# In this order: strings to a terminal (OSC, DCS, SOS, PM, APC), control sequences, other escapes.
# A string without an end reaches to the end of the text, as a terminal would take it.
_STRING = re.compile(r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|(?=\x1b)|\Z)")
_CONTROL = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?")
_ESCAPE = re.compile(r"\x1b[ -/]*[0-~]?")
_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Cc controls, Cf bidi and zero-width, Cs surrogates, Co private, Cn unassigned.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def sanitize(text: str, *, max_lines: int = 200, max_width: int = 400) -> str:
    """Return the text without control sequences, at most ``max_lines`` lines of ``max_width`` characters.

    A cut leaves a visible mark, which is not counted. The limits must be at least 1.
    """
    if len(text) > _MOST:
        text = f"{text[:_MOST]}\n{CUT_MARK}"
    lines = _drop_unseen(_drop_sequences(text)).split("\n")
    kept = [line if len(line) <= max_width else line[:max_width] + CUT_MARK for line in lines[:max_lines]]
    if len(lines) > max_lines:
        kept.append(CUT_MARK)
    return "\n".join(kept)


def cut_text(text: str, longest: int) -> str:
    """Return the beginning up to the end of a line or a word, so that no half of a secret is left unrecognised."""
    if len(text) <= longest:
        return text
    begun = text[:longest]
    end = max(begun.rfind("\n"), begun.rfind(" ", longest // 2))
    return f"{begun[: max(0, end)]}\n{CUT_MARK}"


def keep_end(text: str, longest: int) -> str:
    """Return the end of a text from the beginning of a line or a word, for the same reason."""
    if len(text) <= longest:
        return text
    left = text[-longest:]
    starts = [place for place in (left.find("\n"), left.find(" ")) if place >= 0]
    return f"{CUT_MARK} {left[min(starts) + 1 :]}" if starts else CUT_MARK


def _drop_sequences(text: str) -> str:
    for sequence in (_STRING, _CONTROL, _ESCAPE):
        text = sequence.sub("", text)
    return _LINE_END.sub("\n", text)


def _drop_unseen(text: str) -> str:
    seen = "".join(char for char in text if char in "\n\t" or unicodedata.category(char) not in _UNSEEN)
    return unicodedata.normalize("NFC", seen)
