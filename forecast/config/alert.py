"""The section on alerts: what is told, and by which ways."""

from typing import Literal

from pydantic import Field, field_validator

from forecast.config.base import Integer, Section, Texts
from forecast.config.duration import ClockDuration

Kind = Literal["failed", "late", "skipped", "drifted", "coverage", "stale", "registry"]
KINDS: tuple[Kind, ...] = ("failed", "late", "skipped", "drifted", "coverage", "stale", "registry")


class Email(Section):
    """A mail server and who is written to."""

    to: Texts
    """Addresses that are written to."""
    sender: str
    """Address that it comes from."""
    host: str = "localhost"
    """Mail server."""
    port: Integer = Field(25, ge=1, le=65_535)
    """Its port; 587 is usual with `starttls`."""
    starttls: bool = False
    """Whether the connection is encrypted before anything is said."""
    user: str | None = None
    """Name at the server; no login unless set."""
    password: str | None = None
    """Password there; write it as `${NAME}`, an environment variable."""


class Alert(Section):
    """Who is told when something changes for the worse, and again when it is over."""

    on: tuple[Kind, ...] = KINDS
    """What is told: `failed` jobs, `late` and `skipped` ones, `drifted` errors and inputs,
    `coverage` of the intervals, `stale` data, a `registry` that is away."""
    command: Texts = ()
    """Program and its arguments; gets the message as JSON on standard input."""
    webhook: str | None = None
    """Address that gets the message as JSON by POST; its `text` is what Slack, Mattermost and Teams
    show. Write a secret address as `${NAME}`."""
    email: Email | None = None
    """Mail."""
    timeout: ClockDuration = "10s"
    """Each way may take this long."""

    @field_validator("webhook")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://", "${")):
            raise ValueError("not an address that begins with http:// or https://")
        return value
