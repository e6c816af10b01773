"""``songnet serve``: serve the page that classifies music as it plays."""

import argparse
import errno
import socket
import sys
import threading
import webbrowser
from typing import Any

from songnet.commands.options import add_models, positive
from songnet.errors import SongNetError


def add(commands: Any) -> None:
    """Add the subcommand to a parser's subparsers."""
    parser = commands.add_parser("serve", help="open the page that classifies music as it plays")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    parser.add_argument("--port", type=positive, default=8765, metavar="N", help="default: 8765")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    add_models(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C."""
    from songnet.realtime.classify import description
    from songnet.realtime.server import LOCAL_HOSTS, create_app, serve
    from songnet.realtime.site import find_models

    models = find_models(options.model)
    host = f"[{options.host}]" if ":" in options.host else options.host
    hosts = None if host in LOCAL_HOSTS else ["*"]
    app = create_app(models, hosts=hosts)
    check_address(options.host, options.port)
    everywhere = options.host in ("0.0.0.0", "::")
    address = f"http://{'localhost' if everywhere else host}:{options.port}/"
    print(f"{description(models[0])}\nServing at {address} (press Ctrl-C to stop)", flush=True)
    if everywhere:
        others = ", ".join(f"http://{name}:{options.port}/" for name in _host_names())
        print(
            f"songnet: warning: every device on this network can open the page at {others}; "
            "browsers allow the microphone only on localhost or over https",
            file=sys.stderr,
        )
    if not options.no_browser:
        threading.Timer(1, webbrowser.open, [address]).start()
    serve(app, options.host, options.port)
    return 0


def check_address(host: str, port: int) -> None:
    """Check that the server can bind to an address.

    Raises:
        SongNetError: it cannot; the message names the option to change.
    """
    try:
        family, kind, protocol, _, (address, *_) = socket.getaddrinfo(
            host, None, type=socket.SOCK_STREAM
        )[0]
    except (OSError, UnicodeError) as error:
        raise SongNetError(f"--host: {host}: {getattr(error, 'strerror', error)}") from None
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OverflowError:
            raise SongNetError(f"--port: {port} is not from 0 to 65535") from None
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise SongNetError(f"--host: {host} is not an address of this machine") from None
            raise SongNetError(f"--port: {host}:{port}: {error.strerror}; choose another") from None


def _host_names() -> list[str]:
    """Return the names and addresses under which other devices may reach this machine."""
    name = socket.gethostname()
    try:
        addresses = socket.gethostbyname_ex(name)[2]
    except OSError:
        addresses = []
    return [name, *(address for address in addresses if not address.startswith("127."))]
