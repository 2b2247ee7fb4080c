"""Read the mail that the server under test has sent: one small interface, two mailboxes behind it."""

import email
import email.policy
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cached_property
from typing import Any, Self

import requests
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from pipeline.errors import UserError

HTTP_TIMEOUT = 10.0  # seconds, for MailHog's API to connect and to answer
PAGE = 250  # MailHog gives no more than this at once


class MailboxError(Exception):
    """The mailbox does not answer, or not as MailHog would; the message names the URL and what happened."""


@dataclass(frozen=True)
class Mail:
    """One mail as it arrived: the envelope, and its bytes as SMTP carried them; and what a person reads of it.

    That is decoded when it is asked for: `subject` and `headers` (name and value, in their order) are unfolded, too.
    `body` is the plain text, or the HTML where there is no plain text, or empty; lines end with "\n", the last one
    without.
    """

    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @cached_property
    def _message(self) -> EmailMessage:
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    @cached_property
    def subject(self) -> str:
        return str(self._message["Subject"] or "")

    @cached_property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, str(value)) for name, value in self._message.items())

    @cached_property
    def body(self) -> str:
        return _body(self._message)


class MailHog:
    """A running MailHog, read through its HTTP API.

    `api` is the API's base URL as seen from here (http://127.0.0.1:PORT), `address` is the host and port of the SMTP
    side as the server under test must name them. Both methods raise MailboxError when the API cannot be reached or
    misbehaves.
    """

    def __init__(self, api: str, address: tuple[str, int]) -> None:
        self._api = api.rstrip("/")
        self._known: dict[str, Mail] = {}  # by ID, as to decode one costs more than to fetch it
        self.address = address

    def messages(self) -> tuple[Mail, ...]:
        # Newest first, so mail that arrives between two pages pushes older mail onto the next page again, and
        # a page that starts at the very end repeats the oldest one: the ID tells what is known already.
        found: dict[str, Mail] = {}
        start, total = 0, 1
        while start < total:
            page = self._request("GET", f"/api/v2/messages?start={start}&limit={PAGE}")
            try:
                # Not page.json(): MailHog says "text/json", which requests takes for Latin-1.
                answer = json.loads(page.content)
                total, items = int(answer["total"]), list(answer["items"])
                for item in items:
                    identity = str(item["ID"])
                    # Its "Content" keeps only the last of several headers of one name; "Raw" is the mail as received.
                    sender, recipients, data = (item["Raw"][key] for key in ("From", "To", "Data"))
                    if identity not in found:
                        envelope = str(sender), tuple(map(str, recipients))
                        known = self._known.get(identity)
                        found[identity] = known or Mail(*envelope, str(data).encode())
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                problem = f"{type(error).__name__}: {error}"
                raise MailboxError(f"{page.url} does not answer like MailHog: {problem}") from error
            if not items:
                break  # the total is counted after the page is cut: never go round for what is not there
            start += len(items)
        self._known = found
        return tuple(reversed(found.values()))

    def clear(self) -> None:
        self._request("DELETE", "/api/v1/messages")

    def _request(self, method: str, path: str) -> requests.Response:
        try:
            with requests.Session() as session:
                session.trust_env = False  # a proxy of the environment cannot reach this machine's MailHog
                response = session.request(method, self._api + path, timeout=HTTP_TIMEOUT)
                response.raise_for_status()
                return response
        except requests.RequestException as error:
            raise MailboxError(f"MailHog's API at {self._api} does not answer: {error}") from error


class EmbeddedMailbox(Controller):
    """An SMTP server in a thread of this process, for `with`: it listens inside the block only.

    It listens on `host` and `port`; port 0 takes a free one. `seen_as` is the name or address under which
    the server under test reaches this machine, `host` unless given. Entering raises UserError when it cannot
    listen there. The mail can still be read after the block.

    `objection` is asked about each recipient, and answers with the reply that refuses it, such as "550 unknown", or
    with None. `options` are those of aiosmtpd's Controller and SMTP, such as `tls_context`.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        seen_as: str | None = None,
        objection: Callable[[str], str | None] = lambda _recipient: None,
        **options: Any,
    ) -> None:
        self._seen_as = seen_as or host
        self._inbox = _Inbox(objection)
        # A name of its own: without one aiosmtpd asks DNS for this machine's at each connection, and where
        # DNS does not answer that takes seconds.
        super().__init__(
            self._inbox, host, port, server_hostname="mailbox.invalid", ready_timeout=30, **options
        )

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self.hostname else socket.AF_INET
        try:
            # Not by aiosmtpd, which waits before it says that it can't, and never tells what port 0 became.
            self._listener = socket.create_server((self.hostname, self.port), family=family)
        except OSError as error:
            raise UserError(
                f"cannot listen for mail on {self.hostname} port {self.port} ({error}): "
                "give an address of this machine and a free port, or port 0 to have one chosen"
            ) from error
        self.port = self._listener.getsockname()[1]
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.server is not None:
            self.stop()

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._listener, ssl=self.ssl_context)

    @property
    def address(self) -> tuple[str, int]:
        if self.server is None:
            raise RuntimeError("the embedded mailbox has an address only inside its with block")
        return self._seen_as, self.port

    def messages(self) -> tuple[Mail, ...]:
        return tuple(self._inbox.mails)

    def clear(self) -> None:
        self._inbox.mails.clear()


class _Inbox:
    """What the embedded server puts its mail into: aiosmtpd calls these, in its own thread."""

    def __init__(self, objection: Callable[[str], str | None]) -> None:
        self.mails: list[Mail] = []
        self._objection = objection

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        objection = self._objection(address)
        if objection is None:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return objection or "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = envelope.original_content or b""
        self.mails.append(Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), raw))
        return "250 OK"


# Where mail ends up in a test or in the demo: every one since the start or the last `clear`, the oldest first.
Mailbox = MailHog | EmbeddedMailbox


def _body(message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    payload = part.get_payload(decode=True) if part is not None else None
    if part is None or not isinstance(payload, bytes):
        return ""
    # Not get_content(): it takes text without a charset for ASCII; ossec-maild names none, and mails lines as they are.
    try:
        text = payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        text = payload.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").rstrip("\n")  # MailHog drops the last line's end, aiosmtpd keeps it
