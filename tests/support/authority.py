"""A time-stamp authority on the loopback interface, made with ``openssl ts``."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

_CONFIG = """
[ req ]
distinguished_name = name
prompt = no
[ name ]
CN = {name}
[ root ]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[ stamp ]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ tsa ]
default_tsa = authority
[ authority ]
serial = {folder}/serial
signer_cert = {folder}/stamp.pem
signer_key = {folder}/stamp.key
signer_digest = sha256
digests = sha256,sha384,sha512
default_policy = 1.2.3.4.1
"""


@contextmanager
def authority(folder: Path) -> Iterator[tuple[str, Path]]:
    """The address of a running authority, and its root certificate."""
    folder.mkdir()
    config = folder / "tsa.cnf"
    config.write_text(_CONFIG.format(name=folder.name, folder=folder))
    (folder / "serial").write_text("01\n")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9")
    request = ("req", "-config", "tsa.cnf", *curve)
    into = ("-keyout", "root.key", "-out", "root.pem")
    openssl(folder, *request, "-x509", "-extensions", "root", *into)
    subject = ("-subj", f"/CN={folder.name} stamp")
    openssl(folder, *request, *subject, "-keyout", "stamp.key", "-out", "stamp.csr")
    signing = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "9")
    extensions = ("-extfile", "tsa.cnf", "-extensions", "stamp")
    openssl(folder, "x509", "-req", "-in", "stamp.csr", *signing, *extensions, "-out", "stamp.pem")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (folder / "q.tsq").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            reply = ("-queryfile", "q.tsq", "-config", "tsa.cnf", "-out", "q.tsr")
            openssl(folder, "ts", "-reply", *reply)
            answer = (folder / "q.tsr").read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", folder / "root.pem"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
