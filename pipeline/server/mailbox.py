"""Read the mail that the server under test has sent: one small interface, two mailboxes behind it."""

import email
import email.policy
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Protocol, Self

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
    """One mail as it arrived: the envelope, what a person reads of it, and its bytes.

    `subject` and `headers` (name and value, in their order) are decoded and unfolded. `body` is the plain
    text, or the HTML where there is no plain text, or empty; lines end with "\n", the last one without.
    """

    sender: str
    recipients: tuple[str, ...]
    subject: str
    body: str
    headers: tuple[tuple[str, str], ...]
    raw: bytes

    @classmethod
    def parse(cls, sender: str, recipients: tuple[str, ...], raw: bytes) -> Self:
        """Decode `raw`, a message as SMTP carried it; `sender` and `recipients` are the envelope's."""
        message = email.message_from_bytes(raw, policy=email.policy.default)
        return cls(
            sender=sender,
            recipients=recipients,
            subject=str(message["Subject"] or ""),
            body=_body(message),
            headers=tuple((name, str(value)) for name, value in message.items()),
            raw=raw,
        )


class Mailbox(Protocol):
    """Where mail ends up in a test or in the demo."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of its SMTP side, as the server under test must name them."""
        ...

    def messages(self) -> tuple[Mail, ...]:
        """Every mail since the start or the last `clear`, oldest first."""
        ...

    def clear(self) -> None:
        """Forget all mail."""
        ...


class MailHog:
    """A running MailHog, read through its HTTP API.

    `api` is the API's base URL as seen from here (http://127.0.0.1:PORT), `address` is the SMTP side as seen
    by the server under test. Both methods raise MailboxError when the API cannot be reached or misbehaves.
    """

    def __init__(self, api: str, address: tuple[str, int]) -> None:
        self._api = api.rstrip("/")
        self._address = address

    @property
    def address(self) -> tuple[str, int]:
        return self._address

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
                    found.setdefault(str(item["ID"]), _mailhog_mail(item["Raw"]))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                problem = f"{type(error).__name__}: {error}"
                raise MailboxError(f"{page.url} does not answer like MailHog: {problem}") from error
            if not items:
                break  # the total is counted after the page is cut: never go round for what is not there
            start += len(items)
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


class EmbeddedMailbox:
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
        objection: Callable[[str], str | None] | None = None,
        **options: Any,
    ) -> None:
        self._host, self._port = host, port
        self._seen_as = seen_as or host
        self._controller: _Controller | None = None
        self._inbox = _Inbox(objection or (lambda _recipient: None))
        self._options = options

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            listener = socket.create_server((self._host, self._port), family=family)
        except OSError as error:
            raise UserError(
                f"cannot listen for mail on {self._host} port {self._port} ({error}): "
                "give an address of this machine and a free port, or port 0 to have one chosen"
            ) from error
        controller = _Controller(self._inbox, listener, **self._options)
        try:
            controller.start()
        except BaseException:
            controller.stop(no_assert=True)
            listener.close()
            raise
        self._controller = controller
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        controller, self._controller = self._controller, None
        if controller is not None:
            controller.stop()

    @property
    def address(self) -> tuple[str, int]:
        if self._controller is None:
            raise RuntimeError("the embedded mailbox has an address only inside its with block")
        return self._seen_as, self._controller.port

    def messages(self) -> tuple[Mail, ...]:
        return self._inbox.messages()

    def clear(self) -> None:
        self._inbox.clear()


class _Inbox:
    """What the embedded server puts its mail into, in its own thread.

    Apart from EmbeddedMailbox because aiosmtpd reads every attribute of its handler, properties too.
    """

    def __init__(self, objection: Callable[[str], str | None]) -> None:
        self._lock = threading.Lock()
        self._mails: list[Mail] = []
        self._objection = objection

    def messages(self) -> tuple[Mail, ...]:
        with self._lock:
            return tuple(self._mails)

    def clear(self) -> None:
        with self._lock:
            self._mails.clear()

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """aiosmtpd's hook, called for each recipient."""
        objection = self._objection(address)
        if objection is None:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return objection or "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """aiosmtpd's hook, called for each mail."""
        raw = envelope.original_content or b""
        mail = Mail.parse(envelope.mail_from or "", tuple(envelope.rcpt_tos), raw)
        with self._lock:
            self._mails.append(mail)
        return "250 OK"


class _Controller(Controller):
    """A Controller on a socket that listens already.

    The stock one takes port 0 but then knocks at port 0 to see whether it is up, and never tells the real
    one.
    """

    def __init__(self, inbox: _Inbox, listener: socket.socket, **options: Any) -> None:
        host, port = listener.getsockname()[:2]
        # A name of its own: without one aiosmtpd asks DNS for this machine's at each connection, and where
        # DNS does not answer that takes seconds.
        super().__init__(
            inbox, hostname=host, port=port, server_hostname="mailbox.invalid", ready_timeout=30, **options
        )
        self._listener = listener

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._listener, ssl=self.ssl_context)


def _mailhog_mail(raw: dict[str, Any]) -> Mail:
    # Its "Raw" is the mail as received. Its "Content" keeps only the last of several headers of one name.
    return Mail.parse(str(raw["From"]), tuple(map(str, raw["To"])), str(raw["Data"]).encode())


def _body(message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    payload = part.get_payload(decode=True) if part is not None else None
    if part is None or not isinstance(payload, bytes):
        return ""
    # Not get_content(): it takes text without a charset for ASCII; ossec-maild names none and mails log
    # lines as they are.
    try:
        text = payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        text = payload.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").rstrip("\n")  # MailHog drops the last line's end, aiosmtpd keeps it
