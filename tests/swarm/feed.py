"""feed.py NAME log|udp [ADDRESS]: a line every 50 ms with an id of its own, until /etc/sender/stop is there.

The id has the phase that /etc/sender/phase names, and is in /tmp/sent once the line was handed over.
"""

import socket
import sys
import time
from pathlib import Path

name, kind = sys.argv[1:3]
if kind == "udp":
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect((sys.argv[3], 514))
else:
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.connect("/dev/log")
with Path("/tmp/sent").open("a", buffering=1) as sent:
    number = 0
    while not Path("/etc/sender/stop").exists():
        phase = Path("/etc/sender/phase").read_text().strip()
        number += 1
        identity = f"swarm-test {name} {phase} {number}"
        stamp = time.strftime("%b %e %H:%M:%S")
        host = f"{name} " if kind == "udp" else ""
        try:
            sender.send(f"<13>{stamp} {host}swarm-test: {identity} end".encode())
            sent.write(f"{identity}\n")
        except OSError:
            pass  # not handed over: no id
        time.sleep(0.05)
