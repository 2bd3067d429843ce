"""The `alert` section: what to report, and how it is sent."""

from typing import Literal

from pydantic import Field, field_validator

from forecast.config.base import Integer, Section, Texts
from forecast.config.duration import ClockDuration
from forecast.redaction import hide

SECRET_PATH = 12  # characters; a shorter path of a webhook holds no token

Kind = Literal["failed", "late", "skipped", "drifted", "coverage", "stale", "registry"]
KINDS: tuple[Kind, ...] = ("failed", "late", "skipped", "drifted", "coverage", "stale", "registry")


class Email(Section):
    """Mail: the server, sender and recipients."""

    to: Texts
    """Addresses of the recipients."""
    sender: str
    """Address of the sender."""
    host: str = "localhost"
    """Mail server."""
    port: Integer = Field(25, ge=1, le=65_535)
    """Port of the server; 587 is usual with `starttls`."""
    starttls: bool = False
    """Whether the connection is encrypted (STARTTLS) before the login."""
    user: str | None = None
    """User name at the server; no login unless set."""
    password: str | None = None
    """Password at the server; write it as `${NAME}`, an environment variable."""

    @field_validator("password")
    @classmethod
    def _hide_password(cls, value: str | None) -> str | None:
        hide(value or "")
        return value


class Alert(Section):
    """Who is notified when a problem begins, and when it is over."""

    on: tuple[Kind, ...] = KINDS
    """Problems to report: `failed`, `late` and `skipped` jobs, `drifted` errors and inputs,
    `coverage` of the intervals, `stale` data, an unavailable `registry`."""
    command: Texts = ()
    """Program with its arguments; it gets the message as JSON on standard input."""
    webhook: str | None = None
    """Address to which the message is sent as JSON by POST; Slack, Mattermost and Teams show its
    `text`. Write a secret address as `${NAME}`."""
    email: Email | None = None
    """Mail."""
    timeout: ClockDuration = "10s"
    """Time limit of the command, the webhook and the mail, each."""

    @field_validator("webhook")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        path = (value or "").partition("://")[2].partition("/")[2]
        if len(path) >= SECRET_PATH:
            hide(path)
        if value is not None and not value.startswith(("http://", "https://", "${")):
            raise ValueError("not an address that begins with http:// or https://")
        return value
