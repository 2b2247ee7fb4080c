"""Certificates for servers and clients of this machine's own: an authority, and what it signs."""

import subprocess
from pathlib import Path


def certificate(folder: Path, name: str, signed_by: str = "", host: str = "localhost") -> None:
    """Make NAME.crt and NAME.key for that host and 127.0.0.1, signed by another of the folder or by itself."""
    # Of elliptic curves, whose keys are made at once; RSA's take a tenth of a second and more.
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "30"]
    command += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{host},IP:127.0.0.1"]
    command += ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
    if signed_by:
        command += ["-CA", f"{signed_by}.crt", "-CAkey", f"{signed_by}.key"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / f"{name}.key").chmod(0o644)  # a container's user is not ours


def certificates(folder: Path, **hosts: str) -> Path:
    """Make an authority in the folder, ca.crt and ca.key, and by it a certificate for each NAME=host: the folder."""
    certificate(folder, "ca")
    for name, host in hosts.items():
        certificate(folder, name, signed_by="ca", host=host)
    return folder
