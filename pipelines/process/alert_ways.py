"""Sends an alert by command, webhook or mail, each with a time limit; a failure is returned."""

from __future__ import annotations

import json
import smtplib
import subprocess
import urllib.request
from email.message import EmailMessage
from typing import TYPE_CHECKING

from forecast.config.duration import duration_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from forecast.config.alert import Alert, Email


def send(alert: Alert, message: Mapping[str, str]) -> list[str]:
    """Send a message by every configured channel; return what failed, in words without secrets."""
    timeout_s = float(duration_s(alert.timeout))
    ways: dict[str, Callable[[], None]] = {}
    if alert.command:
        ways["command"] = lambda: _run(alert.command, message, timeout_s)
    if alert.webhook is not None:
        address = alert.webhook
        ways["webhook"] = lambda: _post(address, message, timeout_s)
    if alert.email is not None:
        email = alert.email
        ways["email"] = lambda: _mail(email, message, timeout_s)
    faults = []
    for name, way in ways.items():
        try:
            way()
        except (OSError, ValueError, subprocess.SubprocessError, smtplib.SMTPException) as fault:
            faults.append(f"alert.{name}: {_reason(fault)}")
    return faults


def _run(command: tuple[str, ...], message: Mapping[str, str], timeout_s: float) -> None:
    subprocess.run(
        command,
        input=json.dumps(message),
        text=True,
        timeout=timeout_s,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _post(address: str, message: Mapping[str, str], timeout_s: float) -> None:
    request = urllib.request.Request(  # noqa: S310 - the config takes http and https alone
        address,
        data=json.dumps(message).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    urllib.request.urlopen(request, timeout=timeout_s).close()  # noqa: S310


def _mail(email: Email, message: Mapping[str, str], timeout_s: float) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"] = email.sender, ", ".join(email.to)
    mail["Subject"] = f"{message['name']}: {message['kind']} {message['state']}"
    mail.set_content("\n".join(f"{key}: {value}" for key, value in message.items()))
    with smtplib.SMTP(email.host, email.port, timeout=timeout_s) as server:
        if email.starttls:
            server.starttls()
        if email.user is not None:
            server.login(email.user, email.password or "")
        server.send_message(mail)


def _reason(fault: Exception) -> str:
    """Return a fault in words, without the address or command, which may hold a secret."""
    if isinstance(fault, subprocess.CalledProcessError):
        return f"exit code {fault.returncode}"
    if isinstance(fault, subprocess.TimeoutExpired):
        return f"not done after {fault.timeout:.0f} s"
    return f"{type(fault).__name__}: {getattr(fault, 'reason', None) or fault}"
