"""Both mailboxes: the same mails through a real SMTP conversation, a real MailHog and a recorded one."""

import json
import smtplib
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qs, urlsplit

import docker
import docker.errors
import pytest

from pipeline.errors import UserError
from pipeline.server.mailbox import EmbeddedMailbox, Mail, Mailbox, MailboxError, MailHog
from pipeline.wait import wait_until

MAILHOG_IMAGE = "mailhog/mailhog:v1.0.1"
SENDER = "ossec@web1.example"
RECIPIENTS = ("admin@example.org", "duty@example.org")

HEAD = b"From: OSSEC HIDS <ossec@web1.example>\nTo: <admin@example.org>\n"
# What is sent, then the subject and the body that a person should read.
MAILS = [
    pytest.param(
        HEAD + b"Subject: OSSEC Notification - web1 - Alert level 5\n\n"
        b'Rule: 5716 fired (level 5) -> "sshd: authentication failed."\n'
        b"Portion of the log(s):\n\nFailed password for J\xc3\xbcrgen\n.hidden\n..\n\n --END OF MAIL\n",
        "OSSEC Notification - web1 - Alert level 5",
        'Rule: 5716 fired (level 5) -> "sshd: authentication failed."\n'
        "Portion of the log(s):\n\nFailed password for Jürgen\n.hidden\n..\n\n --END OF MAIL",
        id="as ossec-maild writes it",
    ),
    pytest.param(
        HEAD + b"Subject: =?iso-8859-1?q?Zugriff_f=FCr?=\n =?utf-8?b?IErDvHJnZW4g4oKs?=\n"
        b"MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\n"
        b"Content-Transfer-Encoding: quoted-printable\n\nKosten f=FCr a=3Db =\nund mehr\n",
        "Zugriff für Jürgen €",
        "Kosten für a=b und mehr",
        id="quoted-printable, subject folded in two charsets",
    ),
    pytest.param(
        HEAD + b"Subject: base64\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        b"Content-Transfer-Encoding: base64\n\nU2Now7ZuZSBHcsO8w59lDQp6d2VpdGUgWmVpbGUNCg==\n",
        "base64",
        "Schöne Grüße\nzweite Zeile",
        id="base64",
    ),
    pytest.param(
        HEAD + b'Subject: parts\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b0"\n\n'
        b'--b0\nContent-Type: multipart/alternative; boundary="b1"\n\n'
        b"--b1\nContent-Type: text/html; charset=utf-8\n\n<p>not this one</p>\n"
        b"--b1\nContent-Type: text/plain; charset=utf-8\n\nthe plain one\n--b1--\n"
        b"--b0\nContent-Type: text/plain\nContent-Disposition: attachment\n\nnor this\n--b0--\n",
        "parts",
        "the plain one",
        id="multipart with an attachment",
    ),
    pytest.param(
        HEAD + b"Subject: html\nMIME-Version: 1.0\nContent-Type: text/html; charset=klingon\n\n<b>hi</b>\n",
        "html",
        "<b>hi</b>",
        id="html only, in an unknown charset",
    ),
]
SENT = [mail.values for mail in MAILS]

# The answer to GET /api/v2/messages after MAILS had been sent, only line ends between the items added.
# Recorded on 2026-11-23 from MailHog's tag v1.0.1, compiled with Go 1.19 because Docker Hub was out of reach.
RECORDED = r"""{"total":5,"count":5,"start":0,"items":[
{"ID":"wsQsBXLcOcLrrrwzbRRsMTbkTPYlh_aQxxx94ff4QyE=@mailhog.example","From":{"Relays":null,"Mailbox":"ossec","Domain":"web1.example","Params":""},"To":[{"Relays":null,"Mailbox":"admin","Domain":"example.org","Params":""},{"Relays":null,"Mailbox":"duty","Domain":"example.org","Params":""}],"Content":{"Headers":{"Content-Type":["text/html; charset=klingon"],"From":["OSSEC HIDS \u003cossec@web1.example\u003e"],"MIME-Version":["1.0"],"Message-ID":["wsQsBXLcOcLrrrwzbRRsMTbkTPYlh_aQxxx94ff4QyE=@mailhog.example"],"Received":["from web1.example by mailhog.example (MailHog)\r\n          id wsQsBXLcOcLrrrwzbRRsMTbkTPYlh_aQxxx94ff4QyE=@mailhog.example; Mon, 23 Nov 2026 06:38:09 +0000"],"Return-Path":["\u003cossec@web1.example\u003e"],"Subject":["html"],"To":["\u003cadmin@example.org\u003e"]},"Body":"\u003cb\u003ehi\u003c/b\u003e","Size":151,"MIME":null},"Created":"2026-11-23T06:38:09.270685434Z","MIME":null,"Raw":{"From":"ossec@web1.example","To":["admin@example.org","duty@example.org"],"Data":"From: OSSEC HIDS \u003cossec@web1.example\u003e\r\nTo: \u003cadmin@example.org\u003e\r\nSubject: html\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=klingon\r\n\r\n\u003cb\u003ehi\u003c/b\u003e","Helo":"web1.example"}},
{"ID":"X7j5CIyHNLbP2aJPtus__w8UPWIvgBnAYZf0sKw1oiE=@mailhog.example","From":{"Relays":null,"Mailbox":"ossec","Domain":"web1.example","Params":""},"To":[{"Relays":null,"Mailbox":"admin","Domain":"example.org","Params":""},{"Relays":null,"Mailbox":"duty","Domain":"example.org","Params":""}],"Content":{"Headers":{"Content-Type":["multipart/mixed; boundary=\"b0\""],"From":["OSSEC HIDS \u003cossec@web1.example\u003e"],"MIME-Version":["1.0"],"Message-ID":["X7j5CIyHNLbP2aJPtus__w8UPWIvgBnAYZf0sKw1oiE=@mailhog.example"],"Received":["from web1.example by mailhog.example (MailHog)\r\n          id X7j5CIyHNLbP2aJPtus__w8UPWIvgBnAYZf0sKw1oiE=@mailhog.example; Mon, 23 Nov 2026 06:38:09 +0000"],"Return-Path":["\u003cossec@web1.example\u003e"],"Subject":["parts"],"To":["\u003cadmin@example.org\u003e"]},"Body":"--b0\r\nContent-Type: multipart/alternative; boundary=\"b1\"\r\n\r\n--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\u003cp\u003enot this one\u003c/p\u003e\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nthe plain one\r\n--b1--\r\n--b0\r\nContent-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nnor this\r\n--b0--","Size":431,"MIME":null},"Created":"2026-11-23T06:38:09.267892999Z","MIME":{"Parts":[{"Headers":{"Content-Type":["multipart/alternative; boundary=\"b1\""]},"Body":"--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\u003cp\u003enot this one\u003c/p\u003e\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nthe plain one\r\n--b1--","Size":193,"MIME":{"Parts":[{"Headers":{"Content-Type":["text/html; charset=utf-8"]},"Body":"\u003cp\u003enot this one\u003c/p\u003e","Size":61,"MIME":null},{"Headers":{"Content-Type":["text/plain; charset=utf-8"]},"Body":"the plain one","Size":56,"MIME":null},{"Headers":{},"Body":"--","Size":2,"MIME":null}]}},{"Headers":{"Content-Disposition":["attachment"],"Content-Type":["text/plain"]},"Body":"nor this","Size":69,"MIME":null},{"Headers":{},"Body":"--","Size":2,"MIME":null}]},"Raw":{"From":"ossec@web1.example","To":["admin@example.org","duty@example.org"],"Data":"From: OSSEC HIDS \u003cossec@web1.example\u003e\r\nTo: \u003cadmin@example.org\u003e\r\nSubject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b0\"\r\n\r\n--b0\r\nContent-Type: multipart/alternative; boundary=\"b1\"\r\n\r\n--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\u003cp\u003enot this one\u003c/p\u003e\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nthe plain one\r\n--b1--\r\n--b0\r\nContent-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nnor this\r\n--b0--","Helo":"web1.example"}},
{"ID":"z7RTrJoaw01_zR97mYr7DQgCGTsYDCnPNTr1gPR5XNc=@mailhog.example","From":{"Relays":null,"Mailbox":"ossec","Domain":"web1.example","Params":""},"To":[{"Relays":null,"Mailbox":"admin","Domain":"example.org","Params":""},{"Relays":null,"Mailbox":"duty","Domain":"example.org","Params":""}],"Content":{"Headers":{"Content-Transfer-Encoding":["base64"],"Content-Type":["text/plain; charset=utf-8"],"From":["OSSEC HIDS \u003cossec@web1.example\u003e"],"MIME-Version":["1.0"],"Message-ID":["z7RTrJoaw01_zR97mYr7DQgCGTsYDCnPNTr1gPR5XNc=@mailhog.example"],"Received":["from web1.example by mailhog.example (MailHog)\r\n          id z7RTrJoaw01_zR97mYr7DQgCGTsYDCnPNTr1gPR5XNc=@mailhog.example; Mon, 23 Nov 2026 06:38:09 +0000"],"Return-Path":["\u003cossec@web1.example\u003e"],"Subject":["base64"],"To":["\u003cadmin@example.org\u003e"]},"Body":"U2Now7ZuZSBHcsO8w59lDQp6d2VpdGUgWmVpbGUNCg==","Size":222,"MIME":null},"Created":"2026-11-23T06:38:09.265427261Z","MIME":null,"Raw":{"From":"ossec@web1.example","To":["admin@example.org","duty@example.org"],"Data":"From: OSSEC HIDS \u003cossec@web1.example\u003e\r\nTo: \u003cadmin@example.org\u003e\r\nSubject: base64\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nU2Now7ZuZSBHcsO8w59lDQp6d2VpdGUgWmVpbGUNCg==","Helo":"web1.example"}},
{"ID":"a6jOxHBNhtrExE4SR8K4ATikTVI1WNDXklWNGLzwRvk=@mailhog.example","From":{"Relays":null,"Mailbox":"ossec","Domain":"web1.example","Params":""},"To":[{"Relays":null,"Mailbox":"admin","Domain":"example.org","Params":""},{"Relays":null,"Mailbox":"duty","Domain":"example.org","Params":""}],"Content":{"Headers":{"Content-Transfer-Encoding":["quoted-printable"],"Content-Type":["text/plain; charset=iso-8859-1"],"From":["OSSEC HIDS \u003cossec@web1.example\u003e"],"MIME-Version":["1.0"],"Message-ID":["a6jOxHBNhtrExE4SR8K4ATikTVI1WNDXklWNGLzwRvk=@mailhog.example"],"Received":["from web1.example by mailhog.example (MailHog)\r\n          id a6jOxHBNhtrExE4SR8K4ATikTVI1WNDXklWNGLzwRvk=@mailhog.example; Mon, 23 Nov 2026 06:38:09 +0000"],"Return-Path":["\u003cossec@web1.example\u003e"],"Subject":["=?iso-8859-1?q?Zugriff_f=FCr?= =?utf-8?b?IErDvHJnZW4g4oKs?="],"To":["\u003cadmin@example.org\u003e"]},"Body":"Kosten f=FCr a=3Db =\r\nund mehr","Size":278,"MIME":null},"Created":"2026-11-23T06:38:09.263008773Z","MIME":null,"Raw":{"From":"ossec@web1.example","To":["admin@example.org","duty@example.org"],"Data":"From: OSSEC HIDS \u003cossec@web1.example\u003e\r\nTo: \u003cadmin@example.org\u003e\r\nSubject: =?iso-8859-1?q?Zugriff_f=FCr?=\r\n =?utf-8?b?IErDvHJnZW4g4oKs?=\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nKosten f=FCr a=3Db =\r\nund mehr","Helo":"web1.example"}},
{"ID":"a4MHOHt1w3vyxev3ier8404oC1_7Rmei_0yyNLAJt30=@mailhog.example","From":{"Relays":null,"Mailbox":"ossec","Domain":"web1.example","Params":""},"To":[{"Relays":null,"Mailbox":"admin","Domain":"example.org","Params":""},{"Relays":null,"Mailbox":"duty","Domain":"example.org","Params":""}],"Content":{"Headers":{"From":["OSSEC HIDS \u003cossec@web1.example\u003e"],"Message-ID":["a4MHOHt1w3vyxev3ier8404oC1_7Rmei_0yyNLAJt30=@mailhog.example"],"Received":["from web1.example by mailhog.example (MailHog)\r\n          id a4MHOHt1w3vyxev3ier8404oC1_7Rmei_0yyNLAJt30=@mailhog.example; Mon, 23 Nov 2026 06:38:09 +0000"],"Return-Path":["\u003cossec@web1.example\u003e"],"Subject":["OSSEC Notification - web1 - Alert level 5"],"To":["\u003cadmin@example.org\u003e"]},"Body":"Rule: 5716 fired (level 5) -\u003e \"sshd: authentication failed.\"\r\nPortion of the log(s):\r\n\r\nFailed password for Jürgen\r\n.hidden\r\n..\r\n\r\n --END OF MAIL","Size":264,"MIME":null},"Created":"2026-11-23T06:38:09.260846527Z","MIME":null,"Raw":{"From":"ossec@web1.example","To":["admin@example.org","duty@example.org"],"Data":"From: OSSEC HIDS \u003cossec@web1.example\u003e\r\nTo: \u003cadmin@example.org\u003e\r\nSubject: OSSEC Notification - web1 - Alert level 5\r\n\r\nRule: 5716 fired (level 5) -\u003e \"sshd: authentication failed.\"\r\nPortion of the log(s):\r\n\r\nFailed password for Jürgen\r\n.hidden\r\n..\r\n\r\n --END OF MAIL","Helo":"web1.example"}}]}"""  # noqa: E501


def send(address: tuple[str, int], *raws: bytes) -> None:
    with smtplib.SMTP(*address, local_hostname="web1.example", timeout=10) as client:
        for raw in raws:
            client.sendmail(SENDER, RECIPIENTS, raw.replace(b"\n", b"\r\n"))


def numbered(count: int) -> list[bytes]:
    return [HEAD + b"Subject: number %d\n\nx\n" % number for number in range(count)]


def subjects(mailbox: Mailbox) -> list[str]:
    return [mail.subject for mail in mailbox.messages()]


@dataclass
class FakeApi:
    """MailHog's API as far as it is read: newest first, `most` items a page at the most.

    It repeats the oldest item for a page that starts right behind it, as MailHog 1.0.1 does.
    """

    items: list[dict[str, Any]]
    most: int = 250
    status: int = 200
    body: bytes | None = None
    after_page: Callable[["FakeApi"], None] = lambda _: None
    requests: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str) -> bytes:
        url = urlsplit(path)
        self.requests.append(f"{method} {url.path}")
        if self.body is not None:
            return self.body
        if method == "DELETE":
            self.items = []
            return b""
        query = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
        start = query.get("start", 0)
        page = self.items[start : start + min(query.get("limit", 50), self.most)]
        if self.items and start == len(self.items):
            page = self.items[-1:]
        answer = {"total": len(self.items), "count": len(page), "start": start, "items": page}
        self.after_page(self)
        return json.dumps(answer).encode()


@pytest.fixture
def serve() -> Iterator[Callable[[FakeApi], MailHog]]:
    servers: list[ThreadingHTTPServer] = []

    def start(api: FakeApi) -> MailHog:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = api.answer(self.command, self.path)
                self.send_response(api.status)
                self.send_header("Content-Type", "text/json")  # MailHog's own
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_DELETE = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return MailHog(f"http://127.0.0.1:{server.server_port}/", ("mailhog", 1025))

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def real_mailhog() -> Iterator[MailHog]:
    """MailHog in a container of its own on loopback; skips where there is no engine or no such image."""
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        pytest.skip(f"the real MailHog was not tried: no Docker engine answers ({error})")
    with closing(client):
        try:
            client.images.get(MAILHOG_IMAGE)
        except docker.errors.ImageNotFound:
            pytest.skip(f"the real MailHog was not tried: the engine has no image {MAILHOG_IMAGE}")
        container = client.containers.create(
            MAILHOG_IMAGE,
            name=f"ossec-test-mailhog-{uuid.uuid4().hex[:8]}",
            ports={"1025/tcp": ("127.0.0.1", 0), "8025/tcp": ("127.0.0.1", 0)},  # 0: any free one
        )
        try:
            container.start()
            container.reload()
            smtp, http = (
                int(bound[0]["HostPort"])
                for port in ("1025/tcp", "8025/tcp")
                if (bound := container.ports[port])
            )
            mailhog = MailHog(f"http://127.0.0.1:{http}", ("127.0.0.1", smtp))

            def is_up() -> bool:
                send(mailhog.address)
                return mailhog.messages() == ()

            up = f"{MAILHOG_IMAGE} to answer on ports {smtp} and {http}"
            wait_until(is_up, 30, what=up, ignoring=(OSError, smtplib.SMTPException, MailboxError))
            yield mailhog
        finally:
            container.remove(force=True, v=True)


@pytest.fixture
def mailhog(real_mailhog: MailHog) -> MailHog:
    real_mailhog.clear()
    return real_mailhog


@pytest.fixture
def embedded() -> Iterator[EmbeddedMailbox]:
    with EmbeddedMailbox() as mailbox:
        yield mailbox


@pytest.fixture(params=["embedded", "mailhog"])
def mailbox(request: pytest.FixtureRequest) -> Mailbox:
    mailbox: Mailbox = request.getfixturevalue(request.param)
    return mailbox


# Both mailboxes, over SMTP


@pytest.mark.parametrize(("raw", "subject", "body"), MAILS)
def test_a_mail_reads_as_it_was_written(mailbox: Mailbox, raw: bytes, subject: str, body: str) -> None:
    send(mailbox.address, raw)
    (mail,) = mailbox.messages()
    assert (mail.sender, mail.recipients) == (SENDER, RECIPIENTS)
    assert (mail.subject, mail.body) == (subject, body)
    assert ("From", "OSSEC HIDS <ossec@web1.example>") in mail.headers
    assert mail.raw.rstrip() == raw.replace(b"\n", b"\r\n").rstrip()


def test_mails_come_oldest_first_and_clear_forgets_them(mailbox: Mailbox) -> None:
    send(mailbox.address, *numbered(3))
    assert subjects(mailbox) == ["number 0", "number 1", "number 2"]
    mailbox.clear()
    assert mailbox.messages() == ()
    send(mailbox.address, *numbered(1))
    assert subjects(mailbox) == ["number 0"]


def test_mails_of_many_senders_at_once_are_all_there(mailbox: Mailbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda raw: send(mailbox.address, raw), numbered(40)))
    assert sorted(subjects(mailbox)) == sorted(f"number {number}" for number in range(40))


def test_more_mails_than_mailhog_gives_at_once_are_all_there(mailhog: MailHog) -> None:
    send(mailhog.address, *numbered(260))
    assert subjects(mailhog) == [f"number {number}" for number in range(260)]


# MailHog's API, recorded


def test_a_recorded_answer_is_decoded(serve: Callable[[FakeApi], MailHog]) -> None:
    mails = serve(FakeApi(json.loads(RECORDED)["items"])).messages()
    assert [(mail.subject, mail.body) for mail in mails] == [(subject, body) for _, subject, body in SENT]
    assert {(mail.sender, mail.recipients) for mail in mails} == {(SENDER, RECIPIENTS)}


@pytest.mark.parametrize("most", [1, 2, 5, 250])
def test_every_page_is_read_whatever_its_size(serve: Callable[[FakeApi], MailHog], most: int) -> None:
    mails = serve(FakeApi(json.loads(RECORDED)["items"], most)).messages()
    assert [mail.subject for mail in mails] == [subject for _, subject, _ in SENT]


def test_a_mail_that_arrives_between_two_pages_doubles_no_other(serve: Callable[[FakeApi], MailHog]) -> None:
    *late, newest, older, oldest = json.loads(RECORDED)["items"]
    api = FakeApi([newest, older, oldest], most=2)
    api.after_page = lambda api: api.items.insert(0, late.pop()) if late else None
    assert subjects(serve(api)) == [subject for _, subject, _ in SENT[:3]]


def test_mails_cleared_between_two_pages_end_the_reading(serve: Callable[[FakeApi], MailHog]) -> None:
    api = FakeApi(json.loads(RECORDED)["items"], most=2)
    api.after_page = lambda api: api.items.clear()
    assert subjects(serve(api)) == [subject for _, subject, _ in SENT[-2:]]


def test_a_mail_that_is_counted_but_not_listed_yet_is_not_waited_for(
    serve: Callable[[FakeApi], MailHog],
) -> None:
    api = FakeApi([], body=b'{"total": 1, "count": 0, "start": 0, "items": []}')
    assert serve(api).messages() == ()
    assert len(api.requests) == 1


def test_clear_deletes_through_version_1_of_the_api(serve: Callable[[FakeApi], MailHog]) -> None:
    api = FakeApi(json.loads(RECORDED)["items"])
    mailhog = serve(api)
    mailhog.clear()
    assert api.requests == ["DELETE /api/v1/messages"]
    assert mailhog.messages() == ()


def test_the_address_is_the_one_the_server_under_test_uses() -> None:
    assert MailHog("http://127.0.0.1:8025", ("mailhog", 1025)).address == ("mailhog", 1025)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"null", b'{"total": 1}', b'{"total": 1, "items": [{}]}'])
def test_an_answer_of_something_else_is_an_error(serve: Callable[[FakeApi], MailHog], body: bytes) -> None:
    with pytest.raises(MailboxError, match=r"api/v2/messages.* does not answer like MailHog"):
        serve(FakeApi([], body=body)).messages()


def test_a_failing_api_is_an_error(serve: Callable[[FakeApi], MailHog]) -> None:
    mailhog = serve(FakeApi([], status=500, body=b"oops"))
    with pytest.raises(MailboxError, match="does not answer: 500"):
        mailhog.messages()
    with pytest.raises(MailboxError, match="does not answer: 500"):
        mailhog.clear()


def test_an_api_that_is_not_there_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(MailboxError, match=f"API at {url} does not answer"):
        MailHog(url, ("mailhog", 1025)).messages()


def test_a_proxy_of_the_environment_is_not_asked(
    serve: Callable[[FakeApi], MailHog], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert serve(FakeApi([])).messages() == ()


# The embedded mailbox


def test_port_0_becomes_a_real_port_of_its_own() -> None:
    with EmbeddedMailbox() as one, EmbeddedMailbox() as other:
        assert 0 not in (one.address[1], other.address[1])
        send(one.address, *numbered(1))
        assert (len(one.messages()), len(other.messages())) == (1, 0)


def test_another_host_can_be_told_where_to_send() -> None:
    with EmbeddedMailbox("0.0.0.0", seen_as="host.docker.internal") as mailbox:
        host, port = mailbox.address
        assert host == "host.docker.internal"
        send(("127.0.0.1", port), *numbered(1))
        assert subjects(mailbox) == ["number 0"]


def test_after_the_block_nothing_listens_and_the_mail_is_still_there() -> None:
    with EmbeddedMailbox() as mailbox:
        address = mailbox.address
        send(address, *numbered(1))
    with pytest.raises(ConnectionRefusedError):
        send(address)
    assert subjects(mailbox) == ["number 0"]
    with pytest.raises(RuntimeError, match="only inside its with block"):
        assert mailbox.address


def test_a_client_that_stays_connected_does_not_hold_the_end_up() -> None:
    block = EmbeddedMailbox()
    with block:
        idle = smtplib.SMTP(*block.address, local_hostname="web1.example", timeout=10)
        ended = threading.Thread(target=block.__exit__, args=(None, None, None), daemon=True)
        ended.start()
        ended.join(10)
        still_waiting = ended.is_alive()
        idle.close()
    assert not still_waiting


def test_a_taken_port_is_named_with_the_remedy(embedded: EmbeddedMailbox) -> None:
    host, port = embedded.address
    with (
        pytest.raises(UserError, match=rf"{host} port {port} \(.*in use.*\): .*port 0"),
        EmbeddedMailbox(host, port),
    ):
        pytest.fail("it took a port that was taken")


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(UserError, match=r"mail on 192\.0\.2\.1 port 0 "), EmbeddedMailbox("192.0.2.1"):
        pytest.fail("it listened where it cannot")


def test_no_dns_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    getfqdn = Mock(return_value="slow.example")
    monkeypatch.setattr(socket, "getfqdn", getfqdn)
    with EmbeddedMailbox() as mailbox, socket.create_connection(mailbox.address, 10) as client:
        assert client.recv(100).startswith(b"220 mailbox.invalid")
    getfqdn.assert_not_called()


# Parsing


def test_the_same_header_twice_is_kept_twice() -> None:
    mail = Mail("", (), b"Received: one\r\nReceived: two\r\n\r\n")
    assert mail.headers == (("Received", "one"), ("Received", "two"))
    assert (mail.sender, mail.recipients, mail.subject, mail.body) == ("", (), "", "")


def test_a_mail_without_text_has_an_empty_body() -> None:
    assert Mail("", (), b"Content-Type: image/png\r\n\r\nxyz\r\n").body == ""
