"""The parts of the soak that need no server: ids, tallies, RELP's frames, the senders' memory, and the verdict."""

import json
import re
import socket
import threading
from dataclasses import replace

import pytest
from rich.console import Console

from pipeline.soak import lines, report
from pipeline.soak.collector import Collector
from pipeline.soak.ends import Ends
from pipeline.soak.events import Event
from pipeline.soak.lines import FULL_LOG, Tally, line, tally
from pipeline.soak.relp import Frame, Frames
from pipeline.soak.senders import RelpSender, Sender, TcpSender, UdpSender
from pipeline.soak.verdict import ENGINE, REPEATS, Verdict, judge
from pipeline.wait import wait_until


def test_each_line_has_its_id_and_an_address_of_its_own() -> None:
    sent = [line("tcp", number) for number in range(300)]
    assert [tally([one]).times("tcp", number) for number, one in enumerate(sent)] == [1] * 300
    addresses = {match[0] for one in sent if (match := re.search(rb"from ([0-9.]+) ", one))}
    assert len(addresses) == 300
    assert [number for number in range(300) if b"Bad protocol version" in sent[number]] == list(
        range(0, 300, 50)
    )
    assert line("tcp", 7) != line("udp", 7)


@pytest.mark.parametrize("size", [1, 7, 18, 64, 10_000])
def test_ids_are_counted_wherever_the_stream_is_cut(size: int) -> None:
    text = b"".join(line("relp", number) + b"\n" for number in (1, 2, 2, 5)) + b"x soak_tcp_00000009"
    found = tally(text[at : at + size] for at in range(0, len(text), size))
    assert list(found.numbers("relp")) == [1, 2, 5]
    assert (found.unique("relp"), found.total("relp"), found.repeated("relp")) == (3, 4, 1)
    assert found.times("tcp", 9) == 1
    assert (found.times("tcp", 10), found.unique("udp"), found.repeated("udp")) == (0, 0, 0)


def test_of_an_alert_as_json_only_the_log_line_counts() -> None:
    alert = json.dumps(
        {"dstuser": "soak_tcp_00000003", "full_log": line("tcp", 3).decode()}, separators=(",", ":")
    )
    assert tally([alert.encode()], FULL_LOG).total("tcp") == 1
    assert tally([b'{"dstuser":"soak_tcp_00000003"}'], FULL_LOG).total("tcp") == 0


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_relp_frames_are_found_wherever_the_stream_is_cut(size: int) -> None:
    sent = [
        Frame(1, b"open", b"relp_version=0\ncommands=syslog"),
        Frame(2, b"syslog", b"a 3 b"),
        Frame(3, b"close", b""),
    ]
    text = b"".join(map(bytes, sent))
    frames = Frames()
    assert [frame for at in range(0, len(text), size) for frame in frames.put(text[at : at + size])] == sent


def test_what_is_no_relp_is_refused() -> None:
    with pytest.raises(ConnectionError, match="no RELP"):
        list(Frames().put(b"x" * 100))


def test_a_relp_sender_sends_again_what_was_not_acknowledged() -> None:
    collector = Collector("127.0.0.1", lines.ID)
    collector.open()
    sender = RelpSender("again", lambda: "127.0.0.1", rate=300, only=500)
    sender.port = collector.address[1]
    sender.start()
    wait_until(lambda: collector.seen.unique("again") >= 100, 30, 0.01, "the first lines")
    collector.close()
    collector.open()
    sender.join(30)
    collector.close()
    assert sender.acknowledged.unique("again") == 500
    assert sender.acknowledged.repeated("again") == 0
    assert collector.seen.unique("again") == 500
    assert collector.seen.repeated("again") <= sender.resent.total("again")


def test_a_tcp_sender_sends_nothing_twice_and_goes_on_after_a_break() -> None:
    received = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for least in (2000, 1 << 30):  # the first connection is hung up after some lines
                connection, _ = listener.accept()
                with connection:
                    got = 0
                    while got < least and (data := connection.recv(4096)):
                        received.extend(data)
                        got += len(data)

        server = threading.Thread(target=serve)
        server.start()
        # Not all at once: the last lines find the first connection hung up.
        sender = TcpSender("tcp", lambda: "127.0.0.1", rate=500, only=1000)
        sender.port = listener.getsockname()[1]
        sender.start()
        sender.join(30)
        server.join(30)
    found = tally([bytes(received)])
    assert len(sender.sent) == 1000
    assert found.repeated("tcp") == 0
    assert found.times("tcp", 0) == found.times("tcp", 999) == 1


def sent(kind: type[Sender], times: list[float]) -> Sender:
    """A sender that has written a line at each of these times, each over a connection of its own moment."""
    sender = kind("x", lambda: "")
    sender.sent.extend(times)
    sender.opened.extend(times)
    return sender


def ends(archived: list[int], **others: list[int]) -> Ends:
    """The numbers at each end: those of the archive but where others are given; mailed are those to be mailed."""
    numbers = dict.fromkeys(("archived", "alerts", "printed", "forwarded"), archived)
    numbers["mailed"] = [number for number in archived if lines.mailed(number)]
    tallies = {}
    for name, wanted in {**numbers, **others}.items():
        tallies[name] = Tally()
        for number in wanted:
            tallies[name].add("x", number)
    return Ends(**tallies)


def stop(began: float, ended: float, intake_killed: bool = False, unclean: bool = False) -> Event:
    started = (began + ended) / 2
    return Event(
        "stop", began, ended, down=True, intake_killed=intake_killed, unclean=unclean, started=started
    )


def test_what_was_written_while_nobody_listened_is_not_lost() -> None:
    verdict = judge([sent(UdpSender, [1.0, 2.0, 3.0, 4.0])], ends([0, 3]), [stop(1.5, 3.5)])
    [one] = verdict.accounts
    assert (one.sent, one.taken, one.down, one.lost, verdict.problems) == (4, 2, 2, 0, [])


def test_what_was_written_while_it_was_up_is_lost() -> None:
    verdict = judge([sent(TcpSender, [1.0, 2.0, 3.0])], ends([0, 2]), [stop(2.1, 2.9)])
    assert verdict.accounts[0].lost == 1
    assert verdict.problems == ["TCP: 1 lines are lost, such as 1 (archived, alerts, printed, forwarded)"]
    [problem] = judge([sent(TcpSender, [1.0, 3.0])], ends([0]), [stop(2.0, 2.5)]).problems
    assert "written 1.000 s after “stop” began, which took 0.500 s" in problem


def test_a_connection_of_before_the_stop_may_take_lines_after_it() -> None:
    sender = sent(TcpSender, [1.0, 4.0])
    sender.opened[1] = 1.0
    assert not judge([sender], ends([0]), [stop(2.0, 3.0)]).problems
    sender.opened[1] = 2.4  # to the container that was ending
    assert not judge([sender], ends([0]), [stop(2.0, 3.0)]).problems
    sender.opened[1] = 2.6
    assert judge([sender], ends([0]), [stop(2.0, 3.0)]).problems


def test_a_server_that_ends_in_order_costs_nothing_but_what_a_write_that_failed_held() -> None:
    in_order = replace(stop(2.0, 3.0), in_order=True)
    for kind, lost in ((TcpSender, 1), (UdpSender, 0)):
        sender = sent(kind, [1.0, 2.1])
        sender.opened[1] = 1.0
        assert judge([sender], ends([0]), [in_order]).accounts[0].lost == lost
        sender.cut_off[1] = 2.2
        assert judge([sender], ends([0]), [in_order]).accounts[0].lost == 0


def test_a_write_that_began_before_the_stop_may_be_cut_off_by_it() -> None:
    in_order = replace(stop(2.0, 3.0), in_order=True)
    sender = sent(TcpSender, [1.0, 1.9])
    for failed, lost in ((1.95, 1), (2.2, 0)):
        sender.cut_off[1] = failed
        assert judge([sender], ends([0]), [in_order]).accounts[0].lost == lost


def test_only_shortly_before_a_kill_of_the_intake_lines_may_be_held() -> None:
    sender = sent(UdpSender, [1.0, 1.9, 3.0])
    [one] = judge([sender], ends([0, 2]), [stop(2.0, 2.5, intake_killed=True)]).accounts
    assert (one.held, round(one.held_longest, 3), one.lost) == (1, 0.1, 0)
    assert judge([sender], ends([2]), [stop(2.0, 2.5, intake_killed=True)]).accounts[0].lost == 1
    assert judge([sender], ends([0, 2]), [stop(2.0, 2.5)]).accounts[0].lost == 1


@pytest.mark.parametrize("end", ["alerts", "printed", "forwarded", "mailed"])
def test_what_is_archived_must_be_at_every_end(end: str) -> None:
    verdict = judge([sent(UdpSender, [1.0, 2.0])], ends([0, 1], **{end: [1]}), [])
    assert verdict.problems == [f"UDP: 1 lines are lost, such as 0 ({end})"]


def test_over_relp_what_was_acknowledged_counts() -> None:
    sender = sent(RelpSender, [1.0, 2.0, 3.0])
    assert isinstance(sender, RelpSender)
    sender.acknowledged.add("x", 0)
    sender.acknowledged.add("x", 1)
    [one] = judge([sender], ends([0]), []).accounts
    assert (one.taken, one.lost, one.lost_first) == (2, 1, ["1 (archived, alerts, printed, forwarded)"])


def test_a_repetition_by_the_sender_is_not_the_servers() -> None:
    sender = sent(RelpSender, [1.0, 2.0])
    assert isinstance(sender, RelpSender)
    for number in (0, 1):
        sender.acknowledged.add("x", number)
    sender.resent.add("x", 0)
    [one] = judge([sender], ends([0, 0, 1, 1]), []).accounts
    assert one.repeated["archived"] == 1


def test_no_more_may_come_twice_than_was_killed_for() -> None:
    numbers = [number for number in range(200) for _ in (0, 1)]
    kills = [stop(500.0 + n, 500.5 + n, unclean=True) for n in range(4)]
    sender = sent(UdpSender, [float(n) for n in range(200)])
    assert not judge([sender], ends(numbers), kills).problems
    problems = judge([sender], ends(numbers), kills[:3]).problems
    assert problems == [
        f"{end}: 200 lines were repeated; {3 * ENGINE} are allowed" for end in ("archived", "alerts")
    ]
    assert len(judge([sender], ends(numbers), []).problems) == len(REPEATS)


def test_the_outcome_is_told_and_written() -> None:
    verdict = judge([sent(UdpSender, [1.0, 2.0])], ends([0]), [stop(3.0, 4.0, unclean=True)])
    console = Console(width=160, record=True)
    console.print(report.table(verdict, "the title"))
    text = console.export_text()
    assert "the title" in text
    assert re.search(r"lost +│ +1 │", text)
    assert isinstance(verdict, Verdict)
    data = json.loads(report.to_json(verdict, seed=7))
    assert (data["seed"], data["accounts"][0]["lost"], data["events"][0]["name"]) == (7, 1, "stop")
