"""call.py FOLDER WORDS...: what stands for `./dev WORDS...`; dev.py does it, which listens in the folder."""

import json
import os
import socket
import sys
from pathlib import Path

with socket.socket(socket.AF_UNIX) as dev:
    dev.connect(f"{sys.argv[1]}/{os.environ['PLAY_ARCHITECTURE']}")
    said = json.dumps([sys.argv[2:], str(Path.cwd()), dict(os.environ)]).encode()
    socket.send_fds(dev, [len(said).to_bytes(4, "big")], [0, 1, 2])
    dev.sendall(said)
    code = dev.recv(1)
sys.exit(code[0] if code else "dev.py gave no answer")
