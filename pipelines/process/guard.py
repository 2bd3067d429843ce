"""What stands before a server on 127.0.0.1: whose requests are let in, how large, what goes out.

A page in a browser can send requests to this machine's own ports, under another name for them
(DNS rebinding) or from another site; a body can be built to fill the memory; an answer can show how
the program is built. An ASGI application around another one.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Message, Receive, Send], Awaitable[None]]

MOST_BYTES = 16 << 20  # of a body: two weeks of hours of a thousand series; it takes 20 times that
DEEPEST = 16  # brackets within brackets; a table of records has three
HOSTS = ("127.0.0.1", "localhost", "[::1]")
_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')


class Guard:
    """Lets requests through that are meant for this server and of a sane size."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or whatever else the server asks."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        refusal = stranger(_headers(scope)) or too_long(_headers(scope))
        body = b"" if refusal else await _body(receive)
        if body is None:
            refusal = (413, f"the body is longer than {MOST_BYTES:,} bytes")
        elif depth(body) > DEEPEST:
            refusal = (400, f"nested over {DEEPEST} brackets deep")
        if refusal:
            await _answer(send, *refusal)
            return
        await self._inner(scope, _replay(body or b"", receive), _Reticent(send))


def stranger(headers: dict[str, str]) -> tuple[int, str] | None:
    """Return why a request is none of this machine's own; None where it is.

    >>> stranger({"host": "localhost:5001", "origin": "http://evil.example"})
    (403, 'requests from http://evil.example are not answered')
    """
    host, origin = headers.get("host", ""), headers.get("origin")
    if _name_of(host) not in HOSTS:
        return 403, f"this server is 127.0.0.1, not {host[:100]!r}"
    if origin is not None and origin.partition("://")[2] != host:
        return 403, f"requests from {origin[:100]} are not answered"
    return None


def _name_of(host: str) -> str:
    """Return a host without its port."""
    return re.sub(r":\d+$", "", host)


def too_long(headers: dict[str, str]) -> tuple[int, str] | None:
    """Return why a body is refused before it is read; None where it may be read."""
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) <= MOST_BYTES:
        return None
    return 413, f"the body is longer than {MOST_BYTES:,} bytes"


def depth(body: bytes) -> int:
    """Return the deepest nesting of brackets in JSON; 0 if there are too few to be too deep.

    >>> depth(b"[" * (DEEPEST + 1)) == DEEPEST + 1, depth(b"[[1]]")
    (True, 0)
    """
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return 0
    deepest = now = 0
    for match in _BRACKET.finditer(body):
        if match[0] in b"[{":
            now += 1
            deepest = max(deepest, now)
        elif match[0] in b"]}":
            now -= 1
    return deepest


def without_trace(status: int, body: bytes) -> bytes:
    """Return the answer to a request that failed: what is wrong, nothing of the program."""
    try:
        found = json.loads(body)
        text = str(found["message"] if isinstance(found, dict) else found)
    except (ValueError, KeyError):
        text = body.decode("utf-8", "replace")
    text = text.partition("Traceback")[0].strip() or f"the request failed with {status}"
    return json.dumps({"error_code": "BAD_REQUEST", "message": text[:2000]}).encode()


def _headers(scope: Message) -> dict[str, str]:
    return {name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]}


async def _body(receive: Receive) -> bytes | None:
    """Read the whole body; None as soon as it is too long."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        if size > MOST_BYTES:
            return None
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that has been read, then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


async def _answer(send: Send, status: int, text: str) -> None:
    body = json.dumps({"error_code": "BAD_REQUEST", "message": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Reticent:
    """Sends answers on; of one that tells of a fault only what is wrong."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            self._start = message
            return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False):
            return
        body = without_trace(self._start["status"], self._body)
        kept = [
            header for header in self._start["headers"] if header[0].lower() not in _OF_THE_BODY
        ]
        length = (b"content-length", str(len(body)).encode())
        kept += [(b"content-type", b"application/json"), length]
        await self._send({**self._start, "headers": kept})
        await self._send({"type": "http.response.body", "body": body})


_OF_THE_BODY = {b"content-length", b"content-type"}
