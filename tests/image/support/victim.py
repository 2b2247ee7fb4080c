"""A server that is meant to fall: started again when it has, with a look at what brought it down."""

import re
import socket
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Literal

import docker
from docker.errors import APIError

from pipeline.server import Server, server, syslog
from pipeline.wait import WaitTimeout, wait_until
from tests.image.conftest import FROM_HERE

PATIENCE = 60  # seconds for what was sent to be analysed
ALERTS = "/var/ossec/logs/alerts/alerts.json"
# Every alert is mailed, so that ossec-maild, too, gets what the engine makes of each line. Nothing takes the mail. As
# many as may be: beyond them it reads no further.
ENVIRONMENT = {
    **FROM_HERE,
    "OSSEC_EMAIL_NOTIFICATION": "yes",
    "OSSEC_EMAIL_TO": "a@example.org",
    "OSSEC_EMAIL_FROM": "b@example.org",
    "OSSEC_SMTP_SERVER": "127.0.0.1:2525",
    "OSSEC_EMAIL_ALERT_LEVEL": "1",
    "OSSEC_EMAIL_MAX_PER_HOUR": "9999",
}
# Prints how far ossec-maild has read the alerts, and how many bytes there are.
MAILD_POSITION = """
file=/var/ossec/logs/alerts/alerts.log
for process in /proc/[0-9]*; do
    [[ $(<"$process/comm") == ossec-maild ]] || continue
    descriptor=$(find -L "$process/fd" -maxdepth 1 -samefile $file -print -quit)
    read -r _ position < "$process/fdinfo/${descriptor##*/}"
    echo $position $(stat -Lc %s $file)
    exit
done 2>/dev/null
exit 1
"""
# Bytes of alerts that it reads at once. Of more it reads on as their mails are queued, 90 every 5 seconds.
AT_ONCE = 20_000
# Whether a mark is among the alerts, and from which byte on to look for the next. What was looked through is not read
# again: there may be hundreds of megabytes of alerts; at midnight the file begins anew.
FOUND = f"""
size=$(stat -Lc %%s {ALERTS})
((size >= ${{from:=%d}})) || from=0
tail -c +$((from + 1)) {ALERTS} | grep -qaF '%s'; found=$?
from=$((size > 1000 ? size - 1000 : 0))
echo $from
((found == 0))
"""
NO_DATAGRAM_WAITS = "! awk '$5 ~ /:/ && $5 !~ /:0+$/' /proc/net/udp* | grep -q ."
# Its alerts go through a pipe, as they do to Docker, which would spend as much on hundreds of megabytes of them as the
# engine does.
UNREAD = ["bash", "-c", "exec ossec-log-server > >(exec cat > /dev/null)"]
Way = Literal["udp", "lf", "octet-counting"]
WAYS: tuple[Way, ...] = ("udp", "lf", "octet-counting")
FALLEN = (WaitTimeout, RuntimeError, OSError, syslog.SendError)  # how it shows that the server is not well


class Victim:
    """A server that is replaced when it has ended. Docker keeps what it prints if that is `kept`."""

    def __init__(
        self, client: docker.DockerClient, image: str, kept: bool = False, **environment: str
    ) -> None:
        self.client, self.image = client, image
        self.options: dict[str, Any] = {} if kept else {"entrypoint": UNREAD}
        self.environment = ENVIRONMENT | environment
        self.marks = 0
        self.fell = ""  # why it last did not survive
        self._start()

    def _start(self) -> None:
        self._context = server(self.client, self.image, self.environment, **self.options)
        self.server = self._context.__enter__()
        self.server.wait_listening()
        # It would try each mail again and again, with a process for each.
        self.server.kill("nullmailer-send", "STOP")
        self.known = 0  # bytes of the alerts in which no later mark is

    def replace(self) -> None:
        """A new one, with nothing in it."""
        self.close()
        self._start()

    def close(self) -> None:
        self._context.__exit__(None, None, None)

    def survives(self, lines: Sequence[bytes], ways: Iterable[Way] = WAYS, mailed: bool = False) -> bool:
        """Whether the server analyses, or also mails, a line after these. If not, a new one takes its place."""
        try:
            for way in ways:
                self.send(way, lines)
            self.wait_mailed() if mailed else self.wait_analysed()
        except FALLEN as why:
            self.fell = str(why)
            self.replace()
            return False
        return True

    def send(self, way: Way, lines: Iterable[bytes]) -> None:
        """Send them, and return once the server has read them: then they are in order with what comes after them."""
        send(self.server, way, lines)
        if way == "udp":
            self._wait_for(
                lambda: self._until(NO_DATAGRAM_WAITS)[0], PATIENCE, what="the datagrams to be read"
            )

    def wait_analysed(self, timeout: float = PATIENCE) -> None:
        """Return once the alert of a line that is sent now is written: engine and writer work in order. Raises
        RuntimeError if the server ended instead.
        """
        self.marks += 1
        mark = f"segfault at {self.marks} of {id(self)}"
        syslog.send_tcp(*self.server.tcp, [syslog.message(mark, tag="kernel")])

        def found() -> bool:
            seen, places = self._until(FOUND % (self.known, mark))
            if places:  # not where the container ended meanwhile
                self.known = int(places.split()[-1])
            return seen

        self._wait_for(found, timeout, what="the next line's alert")

    def wait_mailed(self) -> None:
        """Return once ossec-maild has dealt with the alerts so far, or, behind a flood of them, has gone on reading."""
        for _ in range(2):  # what it had read before it came to the first mark, it is done with at the second
            self.wait_analysed()
            before, size = self._mailed()

            def reads_on(before: int = before, flood: bool = size - before > AT_ONCE) -> bool:
                position, size = self._mailed()
                return position >= size or (flood and position > before)

            self._wait_for(reads_on, 60, what="ossec-maild to read the alerts")

    def _mailed(self) -> tuple[int, int]:
        position, size = self.server.run("timeout", "10", "bash", "-c", MAILD_POSITION).split()
        return int(position), int(size)

    def _until(self, script: str) -> tuple[bool, str]:
        """Whether the script ends with 0 within some seconds, and what it prints then. One process in the container
        asks again and again: to start one for each question costs the machine more than the question.
        """
        asking = (
            f"for ((n = 0; n < 50; n++)); do {{ {script}\n}} && exit; sleep 0.1; done 2>/dev/null; exit 1"
        )
        code, output = self.server.answer("bash", "-c", asking)
        return code == 0, output

    def _wait_for(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        def over() -> bool:
            if not self.server.running():
                raise RuntimeError(f"the server ended with {self.server.exit_code()}")
            return condition()

        wait_until(over, timeout, what=what, ignoring=(APIError,))

    def engine_memory(self) -> int:
        """Bytes that the engine alone holds, without the journal."""
        path = f"/proc/{self.server.processes()['ossec-analysisd']}/status"
        # On a busy machine Docker may lose what a command printed.
        found = wait_until(
            lambda: re.search(r"RssAnon:\s+(\d+) kB", self.server.run("cat", path)), 30, what=path
        )
        return int(found[1]) << 10

    def memory(self) -> int:
        """Bytes that the processes in the container hold; files that the kernel caches are not counted."""
        statistics: dict[str, int] = self.server.container.stats(stream=False)["memory_stats"]["stats"]  # type: ignore[index]
        return statistics["anon"] if "anon" in statistics else statistics["total_rss"]  # cgroup 2, or 1


def frame(line: bytes, way: Way) -> bytes:
    """The line as it goes over the wire. In a stream with newlines it has none of its own and says where it begins."""
    if way == "octet-counting":
        line = b"<38>" + line
        return b"%d %b" % (len(line), line)
    if way == "lf":
        return b"<38>" + line.replace(b"\n", b" ") + b"\n"
    return b"<38>" + line


def send(to: Server, way: Way, lines: Iterable[bytes]) -> None:
    """Send them as fast as they are taken. A stream is read to its end when this returns."""
    if way == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(to.udp)
            for line in lines:
                sender.send(frame(line, way))
        return
    with socket.create_connection(to.tcp, 10) as sender:
        sender.settimeout(PATIENCE)
        rest = iter(lines)
        while batch := list(islice(rest, 200)):
            sender.sendall(b"".join(frame(line, way) for line in batch))
        sender.shutdown(socket.SHUT_WR)
        while sender.recv(4096):  # the server closes when it has read all
            pass
