"""The bench's load generator, against receivers on this machine."""

import socket
import threading
from collections.abc import Iterator

import pytest

from pipeline.bench import feed, lines
from pipeline.soak.collector import Collector
from pipeline.wait import wait_until

LINES = ["a line of the first kind", "one that ends with CR\r"]


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """What a TCP receiver gets over each of its connections."""
    found: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                found.append(stream.read())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(feed, "PORT", listener.getsockname()[1])
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield found
        listener.shutdown(socket.SHUT_RDWR)


def test_each_message_goes_once_over_one_of_the_connections(received: list[bytes]) -> None:
    sent = feed.feed(("tcp", 3), "127.0.0.1", LINES, first=500, count=2000)
    wait_until(lambda: len(received) == 3, 10, 0.01, "the connections")
    assert sent.count == 2000
    assert sent.began <= sent.ended
    assert lines.count_ids(received, 500, 2000) == lines.Found(2000, 0)
    assert received[0].endswith(b"\n")
    each = {line for one in received for line in one.split(b"\n")}
    assert {b"<38>a line of the first kind uid=0000500", b"<38>one that ends with CR uid=0000501\r"} <= each


def test_only_what_is_acknowledged_counts_over_relp(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector("127.0.0.1")
    monkeypatch.setattr(feed, "RELP_PORT", collector.address[1])
    collector.open()
    assert feed.feed(("relp", 2), "127.0.0.1", LINES, first=0, count=3000).count == 3000
    collector.close()
    assert feed.feed(("relp", 2), "127.0.0.1", LINES, first=0, count=3000).count == 0  # nobody takes it


def test_datagrams_keep_their_rate_whether_anybody_listens_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        monkeypatch.setattr(feed, "PORT", receiver.getsockname()[1])
        sent = feed.feed(("udp", 1000), "127.0.0.1", LINES, first=7, count=200)
        assert receiver.recv(100) == b"<38>a line of the first kind uid=0000007"
    assert sent.count == 200
    assert sent.ended - sent.began >= 0.19 - feed.CATCH_UP
    assert feed.feed(("udp", 100_000), "127.0.0.1", LINES, first=0, count=200).count == 200
