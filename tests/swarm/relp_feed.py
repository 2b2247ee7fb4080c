"""relp_feed.py NAME ADDRESS...: a line every 50 ms over RELP, one at a time, to the first server that acknowledges it.

Once it was acknowledged its id, with the phase that /etc/sender/phase names, is in /tmp/sent. Ends when
/etc/sender/stop is there.
"""

import socket
import sys
import time
from pathlib import Path

OFFERS = b"relp_version=0\nrelp_software=swarm-test\ncommands=syslog"


class Session:
    def __init__(self, address: str) -> None:
        self.socket = socket.create_connection((address, 2514), 3)
        self.number = 0
        self.answers = b""
        self.ask(b"open", OFFERS)

    def ask(self, command: bytes, data: bytes) -> None:
        """Raises OSError where it is not answered with 200."""
        self.number += 1
        self.socket.sendall(b"%d %s %d %s\n" % (self.number, command, len(data), data))
        wanted = b"%d rsp " % self.number
        while not (
            self.answers.startswith(wanted) and self.answers.endswith(b"\n") and b" 200 OK" in self.answers
        ):
            more = self.socket.recv(4096)
            if not more or b"serverclose" in more:
                raise OSError("closed")
            self.answers += more
        self.answers = b""


def session(addresses: list[str]) -> Session:
    while True:
        for address in addresses:
            try:
                return Session(address)
            except OSError:
                continue
        time.sleep(0.2)


name, addresses = sys.argv[1], sys.argv[2:]
now = session(addresses)
with Path("/tmp/sent").open("a", buffering=1) as sent:
    number = 0
    while not Path("/etc/sender/stop").exists():
        number += 1
        identity = f"swarm-test {name} {Path('/etc/sender/phase').read_text().strip()} {number}"
        line = f"<13>{time.strftime('%b %e %H:%M:%S')} {name} swarm-test: {identity} end".encode()
        while True:
            try:
                now.ask(b"syslog", line)
                break
            except OSError:
                now = session(addresses)
        sent.write(f"{identity}\n")
        time.sleep(0.05)
