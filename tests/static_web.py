"""An nginx that serves files as they lie there, at a Unix socket."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs import required_program
from tests.serving import eventually

_CONFIGURATION = """daemon off;
worker_processes 1;
pid {at}/nginx.pid;
error_log {at}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {at}/body;
    proxy_temp_path {at}/proxy;
    fastcgi_temp_path {at}/fastcgi;
    uwsgi_temp_path {at}/uwsgi;
    scgi_temp_path {at}/scgi;
    server {{
        listen unix:{at}/s;
        root {root};
        {directives}
    }}
}}
"""


@contextmanager
def static_web(root: Path, directives: str, *, place: Path) -> Iterator[Path]:
    """nginx with what lies below `root`; gives the Unix socket where it answers, and stops it when this ends.

    directives: what its server block says besides, such as the media types. place: where its own files go, with a path
    short enough for a socket. Skips the test without nginx.
    """
    main, listening = place / "nginx.conf", place / "s"
    main.write_text(_CONFIGURATION.format(at=place, root=root, directives=directives))
    command = [required_program("nginx"), "-p", str(place), "-c", str(main), "-e", str(place / "error.log")]
    with subprocess.Popen(command) as nginx:
        try:
            eventually(lambda: nginx.poll() is not None or _answers(listening), "nginx listens")
            assert nginx.returncode is None, (place / "error.log").read_text()
            yield listening
        finally:
            nginx.terminate()


def _answers(listening: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(str(listening)) == 0
