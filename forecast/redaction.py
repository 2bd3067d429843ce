"""Passwords and tokens in texts, replaced at the border of every message, file and log."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

HIDDEN = "***"
_LOGIN = re.compile(r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]*://)(?P<login>[^\s/?#'\"]*)@")
_NAMES = r"[\w.-]*(?:token|secret|passw(?:or)?d|pwd|signature|credential|api[_-]?key)[\w.-]*"
_PARAMETER = re.compile(
    rf"(?P<name>[?&;](?:{_NAMES}|key|sig|auth|code|access[_-]?key(?:[_-]?id)?)=)"
    r"(?P<value>[^\s&;#'\"]*[^\s&;#'\":,.)\]])",
    re.IGNORECASE,
)
_CONTROLS = {*range(32), *range(127, 160), 0x2028, 0x2029, *range(0x202A, 0x202F)} - {9, 10}
_WRITTEN_OUT = {code: ascii(chr(code))[1:-1] for code in _CONTROLS}
_known: set[str] = set()  # secrets met in addresses; a library may show one without its address


def redact(text: str) -> str:
    """Return a text without the logins and tokens in its addresses.

    A secret that was met in an address once is hidden wherever it stands.

    >>> redact("http://ann:pw@host/x?sig=ab12&page=2: no answer")
    'http://***@host/x?sig=***&page=2: no answer'
    """
    _remember(text)
    text = _LOGIN.sub(rf"\g<scheme>{HIDDEN}@", text)
    text = _PARAMETER.sub(rf"\g<name>{HIDDEN}", text)
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def printable(text: str) -> str:
    r"""Return a text, redacted, whose control characters are written out; lines stay lines.

    A series may be called anything, and a terminal obeys what it is sent.

    >>> printable("sensor \x1b[2J")
    'sensor \\x1b[2J'
    """
    return redact(text).translate(_WRITTEN_OUT)


def redacted(value: Any) -> Any:
    """Return plain values, nested or not, with their texts redacted."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: redacted(part) for key, part in value.items()}
    if isinstance(value, Sequence):
        return [redacted(part) for part in value]
    return value


def hide(secret: str) -> None:
    """Hide a secret that stands in no address wherever it appears from now on.

    >>> hide("swordfish")
    >>> redact("login failed: swordfish")
    'login failed: ***'
    """
    if len(secret) > 5 and secret != HIDDEN:
        _known.update({secret, unquote(secret)})


def login_of(address: str) -> tuple[str, str, str]:
    """Return an address without its login, the user and the password; empty where it has none.

    >>> login_of("https://ann:p%40ss@host/path")
    ('https://host/path', 'ann', 'p@ss')
    """
    found = _LOGIN.match(address)
    if found is None:
        return address, "", ""
    _remember(address)
    user, _, password = found["login"].partition(":")
    return found["scheme"] + address[found.end() :], unquote(user), unquote(password)


def _remember(text: str) -> None:
    """Keep the secrets of addresses; those of a few characters would blot out common words."""
    met = [match["login"].partition(":")[2] for match in _LOGIN.finditer(text)]
    met += [match["value"] for match in _PARAMETER.finditer(text)]
    for secret in met:
        hide(secret)
