"""What stands before the scoring server, without a server."""

import asyncio
import json

import pytest

from pipelines.process import guard
from pipelines.process.guard import Guard, depth, stranger, without_trace

HERE = {"host": "127.0.0.1:5001"}


async def echo(scope, receive, send):
    """An application that answers with the body it got, in two pieces; with a fault on /fault."""
    body = (await receive())["body"]
    status = 500 if scope["path"] == "/fault" else 200
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body[:3], "more_body": True})
    await send({"type": "http.response.body", "body": body[3:]})


def asked(parts, *, headers=HERE, path="/"):
    """Return status, headers and body of the answer to a body that comes in parts."""
    waiting = [
        {"type": "http.request", "body": part, "more_body": n + 1 < len(parts)}
        for n, part in enumerate(parts)
    ]
    sent = []

    async def receive():
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    encoded = [(name.encode(), text.encode()) for name, text in headers.items()]
    scope = {"type": "http", "path": path, "headers": encoded}
    asyncio.run(Guard(echo)(scope, receive, send))
    start, *rest = sent
    return start["status"], dict(start["headers"]), b"".join(one["body"] for one in rest)


@pytest.mark.parametrize("host", ["127.0.0.1:5001", "localhost:5001", "localhost", "[::1]:5001"])
def test_this_machine_is_answered(host):
    assert stranger({"host": host}) is None
    assert stranger({"host": host, "origin": f"http://{host}"}) is None
    assert asked([b"ab", b"cd"], headers={"host": host})[::2] == (200, b"abcd")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:5001"},
        {**HERE, "origin": "http://evil.example"},
        {**HERE, "origin": "http://127.0.0.1:8000"},
        {**HERE, "origin": "null"},
    ],
)
def test_strangers_are_not(headers):
    status, _, body = asked([b"ab"], headers=headers)
    assert status == 403
    assert body != b"ab"


def test_a_body_is_bounded_whether_it_says_its_length_or_not(monkeypatch):
    monkeypatch.setattr(guard, "MOST_BYTES", 10)
    assert asked([b"a" * 10])[0] == 200
    assert asked([b"a" * 6] * 2)[0] == 413
    assert asked([b"a"], headers={**HERE, "content-length": "11"})[0] == 413
    assert asked([b"a"], headers={**HERE, "content-length": "-1"})[0] == 413


def test_brackets_are_counted_outside_texts():
    assert asked([b"[" * 17 + b"]" * 17])[0] == 400
    assert asked([b"[" * 16 + b"]" * 16])[0] == 200
    records = json.dumps({"rows": [{"id": '[[["\\', "y": [1]}] * 50}).encode()
    assert depth(records) == 4
    assert asked([records])[0] == 200


def test_a_fault_tells_nothing_of_the_program():
    trace = b'{"error_code": "X", "message": "no ds. Traceback (most recent call last): File"}'
    status, headers, body = asked([trace], path="/fault")
    assert status == 500
    assert json.loads(body) == {"error_code": "BAD_REQUEST", "message": "no ds."}
    assert headers[b"content-length"] == b"%d" % len(body)
    assert headers[b"content-type"] == b"application/json"
    assert b"failed with 500" in without_trace(500, b"Traceback (most recent call last)")
