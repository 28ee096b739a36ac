"""Handing a digest on, by mail and by webhook, so that each arrives once.

What is to be sent is written into the outbox first. A webhook that was interrupted is sent again
under the same key, by which the receiver knows it. A mail that was interrupted may have arrived,
and no server promises to know it again: it is sent again only on request.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import smtplib
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, getaddresses, parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from minetrace.errors import DeliveryError, MinetraceError, StudyError
from minetrace.publish.digest import Digest, lines, page
from minetrace.sources.trust import LOOPBACK
from minetrace.store.http import HttpClient, HttpOptions, redacted
from minetrace.store.outbox import Delivery, Outbox

HTTP = HttpOptions(attempts=4, backoff_s=1.0, longest_wait_s=30.0)
PREFIX = "MINETRACE_"
_MAIL = re.compile(r"[^\s@]+@[^\s@]+")


@dataclass(frozen=True)
class Post:
    """Where digests go, and with which keys; secrets come from the environment alone.

    Attributes:
        mail: addresses.
        webhooks: addresses; what is in their query is never shown.
        secret: signs webhooks.
        host, port, user, password, sender: of the mail server.
        security: ``starttls``, ``tls`` or ``none``.
    """

    mail: tuple[str, ...] = ()
    webhooks: tuple[str, ...] = ()
    secret: str = ""
    host: str = ""
    port: int = 587
    user: str = ""
    password: str = ""
    sender: str = ""
    security: str = "starttls"

    @classmethod
    def of(cls, mail: Sequence[str], webhooks: Sequence[str]) -> Post:
        """Targets as given, the rest from ``MINETRACE_SMTP_*`` and ``MINETRACE_WEBHOOK_SECRET``.

        Raises:
            StudyError: what a target needs is not set, or cannot be meant.
        """
        said = {name: os.environ.get(f"{PREFIX}{name}", "") for name in (
            "SMTP_HOST", "SMTP_PORT", "SMTP_USER", "SMTP_PASSWORD", "SMTP_FROM", "SMTP_SECURITY",
            "WEBHOOK_SECRET", "WEBHOOK_PLAIN",
        )}  # fmt: skip
        for needs, names in ((mail, ("SMTP_HOST", "SMTP_FROM")), (webhooks, ("WEBHOOK_SECRET",))):
            if needs and (unset := [f"{PREFIX}{name}" for name in names if not said[name]]):
                raise StudyError(f"set {' and '.join(unset)} in the environment to send digests")
        if wrong := [address for address in mail if not _is_mail(address)]:
            raise StudyError(f"{wrong[0]!r} is no mail address")
        if mail and not _is_mail(said["SMTP_FROM"]):
            raise StudyError(f"{PREFIX}SMTP_FROM: {said['SMTP_FROM']!r} is no mail address")
        for url in webhooks:
            _refuse_in_the_clear(url, said["WEBHOOK_PLAIN"])
        security = said["SMTP_SECURITY"] or "starttls"
        if (
            security not in ("starttls", "tls", "none")
            or not (said["SMTP_PORT"] or "587").isdigit()
        ):
            raise StudyError("MINETRACE_SMTP_SECURITY is starttls, tls or none; _PORT a number")
        if security == "none" and said["SMTP_USER"] and said["SMTP_HOST"] not in LOOPBACK:
            raise StudyError(
                f"{PREFIX}SMTP_SECURITY=none would send the password to {said['SMTP_HOST']} in the "
                "clear: set starttls or tls"
            )
        return cls(
            tuple(mail), tuple(webhooks), said["WEBHOOK_SECRET"], said["SMTP_HOST"],
            int(said["SMTP_PORT"] or 587), said["SMTP_USER"], said["SMTP_PASSWORD"],
            said["SMTP_FROM"], security,
        )  # fmt: skip


def _is_mail(address: str) -> bool:
    """One address on one line: a line break would begin another header."""
    found = getaddresses([address])
    return address.isprintable() and len(found) == 1 and bool(_MAIL.fullmatch(found[0][1]))


def _refuse_in_the_clear(url: str, plain: str) -> None:
    """Check that what a webhook says is told to its receiver alone.

    Raises:
        StudyError: it is no address, or would be read and changed by whoever is in between.
    """
    parts = urlsplit(url) if url.isprintable() else None
    if parts is None or parts.scheme not in ("https", "http") or not parts.hostname:
        raise StudyError(f"{redacted(url)!r}: a webhook begins with https://")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK and plain != parts.hostname:
        raise StudyError(
            f"{redacted(url)}: a webhook to another machine begins with https://, or anybody in "
            f"between reads it; set {PREFIX}WEBHOOK_PLAIN={parts.hostname} to send it all the same"
        )


def hand_on(
    path: Path, digest: Digest, post: Post, *, resend: bool = False, http: HttpOptions = HTTP
) -> list[str]:
    """Send a digest to all targets, and whatever else the outbox still holds for them.

    Args:
        path: of the outbox.
        digest: what is told.
        post: to whom.
        resend: also send mails again that may have arrived.
        http: how patiently webhooks are tried.

    Returns:
        A line for each delivery that was made now.

    Raises:
        DeliveryError: some could not be made; they stay in the outbox for the next call.
    """
    body = json.dumps(digest.record(), ensure_ascii=False, sort_keys=True, allow_nan=False).encode()
    addresses = {_target(url): url for url in post.webhooks}
    done, failed = [], []
    with Outbox.open(path) as outbox:
        for target in addresses:
            outbox.put(_delivery("webhook", target, digest.period, body, body))
        for address in post.mail:
            outbox.put(
                _delivery("mail", address, digest.period, body, _mail(digest, address, post, body))
            )
        for waiting in outbox.all("waiting", "under way"):
            if waiting.target not in {*addresses, *post.mail}:
                continue
            if waiting.channel == "mail" and waiting.state == "under way" and not resend:
                failed.append(_cut_off(waiting))
                continue
            outbox.mark(waiting.key, "under way")
            try:
                if waiting.channel == "mail":
                    _send_mail(waiting, post)
                else:
                    _call(waiting, addresses[waiting.target], post.secret, http)
            except _CutOffError:
                failed.append(_cut_off(waiting))
                continue
            except (MinetraceError, OSError) as error:  # SMTPException among them
                outbox.mark(waiting.key, "waiting", _problem(error))
                failed.append(f"{waiting.channel} to {_shown(waiting.target)}: {_problem(error)}")
                continue
            outbox.mark(waiting.key, "sent")
            done.append(f"{waiting.channel} to {_shown(waiting.target)}: {waiting.period} sent")
    if failed:
        kept = "what was not sent is kept and tried again by the next call"
        raise DeliveryError(f"{'; '.join(failed)}; {kept}")
    return done


class _CutOffError(Exception):
    """The server was told everything and did not answer: the mail may have arrived."""


def _cut_off(delivery: Delivery) -> str:
    return f"mail to {delivery.target} was cut off and may have arrived; --resend sends it again"


def _delivery(channel: str, target: str, period: str, record: bytes, payload: bytes) -> Delivery:
    """Known by what it tells and to whom, however it is dressed."""
    key = hashlib.sha256(f"{channel}\n{target}\n".encode() + record).hexdigest()
    return Delivery(key, channel, target, period, payload)


def _target(url: str) -> str:
    """A webhook without its secrets, and what tells it from another of the same host."""
    return f"{redacted(url)}#{hashlib.sha256(url.encode()).hexdigest()[:12]}"


def _shown(target: str) -> str:
    return target.rpartition("#")[0] or target


def _problem(error: BaseException) -> str:
    """In one line, and never with a secret: servers like to repeat what they were told."""
    if isinstance(error, MinetraceError):
        return str(error)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "the mail server refused user or password"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return f"the mail server does not offer what is asked of it; see {PREFIX}SMTP_SECURITY"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server answered {error.smtp_code}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the mail server's certificate cannot be trusted ({error.verify_message})"
    return f"the mail server cannot be reached or broke off ({type(error).__name__})"


def _call(delivery: Delivery, url: str, secret: str, http: HttpOptions) -> None:
    """Post to a webhook, signed anew at each try, under the same key."""

    def sign(method: str, address: str) -> tuple[str, dict[str, str]]:
        stamp = str(int(time.time()))
        return address, {
            "X-Minetrace-Timestamp": stamp,
            "X-Minetrace-Signature": signature(secret, stamp, delivery.payload),
        }

    headers = {"Content-Type": "application/json", "Idempotency-Key": delivery.key}
    reply = HttpClient(http).request(
        "POST", url, headers=headers, body=delivery.payload, sign=sign
    )  # fmt: skip
    if not 200 <= reply.status < 300:
        raise DeliveryError(f"the webhook answered {reply.status}")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """``sha256=`` and the HMAC of timestamp, full stop and body, as the receiver makes it too."""
    told = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={told.hexdigest()}"


def _mail(digest: Digest, address: str, post: Post, record: bytes) -> bytes:
    """The digest as plain text, with the page attached; equal digests make equal mails."""
    name = hashlib.sha256(address.encode() + record).hexdigest()
    mail = EmailMessage()
    mail["Subject"] = " ".join(digest.headline().split())
    mail["From"], mail["To"] = post.sender, address
    mail["Message-ID"] = f"<{name}@minetrace>"
    mail.set_content("\n".join(lines(digest)) + "\n")
    mail.add_attachment(page(digest), subtype="html", filename=f"{digest.period}.html")
    mail.set_boundary(f"minetrace-{name}")
    return mail.as_bytes(policy=SMTP)


def _send_mail(delivery: Delivery, post: Post) -> None:
    safe = ssl.create_default_context()
    server: smtplib.SMTP
    if post.security == "tls":
        server = smtplib.SMTP_SSL(post.host, post.port, timeout=30, context=safe)
    else:
        server = smtplib.SMTP(post.host, post.port, timeout=30)
    try:
        if post.security == "starttls":
            server.starttls(context=safe)
        if post.user:
            server.login(post.user, post.password)
        _told_once(server, parseaddr(post.sender)[1], delivery)
    finally:
        server.close()


def _told_once(server: smtplib.SMTP, sender: str, delivery: Delivery) -> None:
    """A refusal is an answer; silence after the last line is none."""
    message = f"Date: {formatdate()}\r\n".encode() + delivery.payload
    try:
        server.sendmail(sender, [parseaddr(delivery.target)[1]], message)
    except smtplib.SMTPServerDisconnected as error:
        raise _CutOffError from error
    except smtplib.SMTPException:
        raise
    except OSError as error:
        raise _CutOffError from error
    with suppress(smtplib.SMTPException, OSError):
        server.quit()
