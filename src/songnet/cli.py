"""The command ``songnet``."""

import argparse
import contextlib
import io
import json
import os
import shlex
import sys
from pathlib import Path

from songnet import __version__
from songnet.commands import classify
from songnet.commands.options import add_model, positive
from songnet.errors import SongNetError

EXAMPLES = """\
for example:
  songnet classify song.mp3
  songnet classify Music/ --csv > genres.csv
  songnet serve

Networks are what the workflow leaves in results/*/best.safetensors: `make run` trains one on
synthetic music, `snakemake --cores 8 --config dataset=fma_small` on real music.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; 0 where all went well."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files need not be UTF-8
            stream.reconfigure(errors="surrogateescape")
    try:
        return int(options.run(options))
    except SongNetError as error:
        print(f"songnet: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read us has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="songnet", description="Music genres in real time.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    classify.add(commands)

    listen = commands.add_parser(
        "listen", help="classify raw samples from a pipe as they come",
        description="For example: arecord -t raw -f S16_LE -r 44100 | songnet listen",
    )  # fmt: skip
    listen.add_argument("--rate", type=positive, default=44_100, metavar="HZ")
    listen.add_argument("--channels", type=positive, default=1, metavar="N")
    listen.add_argument("--format", choices=["s16le", "s32le", "f32le"], default="s16le")
    listen.add_argument("--json", action="store_true", help="one line of JSON for each step")
    listen.set_defaults(run=_listen)

    serve = commands.add_parser("serve", help="open the page that classifies music as it plays")
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: only this machine)"
    )
    serve.add_argument("--port", type=positive, default=8765, metavar="N")
    serve.add_argument("--no-browser", action="store_true", help="only serve; open nothing")
    serve.set_defaults(run=_serve)

    site = commands.add_parser(
        "site", help="write that page as static files, for any web server",
        description="The page runs the networks in the visitors' browsers, offline too.",
    )  # fmt: skip
    site.add_argument("folder", metavar="DIR")
    site.set_defaults(run=_site)

    export = commands.add_parser("export", help="write one step of the network as ONNX")
    export.add_argument("output", metavar="FILE.onnx")
    export.set_defaults(run=_export)

    get = commands.add_parser("get", help="fetch a pretrained model, for --model NAME")
    get.add_argument("name", choices=["musicnn"], help="musicnn: 12 genres, out of 50 tags")
    get.add_argument("--genres", metavar="FILE.yaml",
                     help="genres to name, each with a list of tags")  # fmt: skip
    get.set_defaults(run=_get)

    for command in (serve, site):
        command.add_argument(
            "--model", metavar="FILE", action="append",
            help="network; again for more (default: all that results/*/best.safetensors holds)",
        )  # fmt: skip
    for command in (listen, export):
        add_model(command)
    return parser


def _listen(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.live import Live

    from songnet.features.audio import MAX_CHANNELS, RATES
    from songnet.realtime.classify import find_model
    from songnet.realtime.listen import headline, listen, picture, read_samples

    if sys.stdin.isatty():
        raise SongNetError("listen reads samples from a pipe: ffmpeg ... | songnet listen")
    if options.rate not in RATES:
        raise SongNetError(f"--rate: expected {RATES[0]} to {RATES[-1]} Hz, got {options.rate}")
    if options.channels > MAX_CHANNELS:
        raise SongNetError(f"--channels: expected {MAX_CHANNELS} at most, got {options.channels}")
    model = find_model(options.model)
    # Unbuffered: a step shall not wait until a buffer is full.
    pipe = os.fdopen(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    pieces = read_samples(pipe, options.format, options.channels, options.rate)
    steps = listen(model, pieces, options.rate)
    step = None
    if options.json:
        for step in steps:
            shares = {name: dict(zip(model.genres, map(float, values), strict=True))
                      for name, values in (
                          ("now", step.step_probabilities), ("overall", step.clip_probabilities)
                      )}  # fmt: skip
            facts = {"seconds": round(step.seconds, 3), "silent": step.silent}
            print(json.dumps(facts | shares), flush=True)
    else:
        console = Console()
        # A microphone ends by Ctrl-C alone; the last prediction stays on the screen.
        with (
            contextlib.suppress(KeyboardInterrupt),
            Live(console=console, transient=True, refresh_per_second=8) as live,
        ):
            for step in steps:
                live.update(picture(step, model))
        if step is not None:
            console.print(headline(step, model))
    if step is None:
        raise SongNetError(f"too little music: a step is {model.step_seconds:.2f} s")
    return 0


def _serve(options: argparse.Namespace) -> int:
    import threading
    import webbrowser

    from songnet.realtime.classify import description
    from songnet.realtime.server import LOCAL_HOSTS, create_app, serve
    from songnet.realtime.site import find_models

    models = find_models(options.model)
    host = f"[{options.host}]" if ":" in options.host else options.host
    hosts = None if host in LOCAL_HOSTS else ["*"]
    app = create_app(models, hosts=hosts)
    _check_address(options.host, options.port)
    everywhere = options.host in ("0.0.0.0", "::")
    address = f"http://{'localhost' if everywhere else host}:{options.port}/"
    print(f"{description(models[0])}\nSongNet listens at {address} (Ctrl-C ends it)", flush=True)
    if everywhere:
        others = ", ".join(f"http://{name}:{options.port}/" for name in _own_names())
        print(
            f"songnet: warning: everybody in this network can use it, at {others}; browsers give "
            "the microphone to pages at localhost or by https only",
            file=sys.stderr,
        )
    if not options.no_browser:
        threading.Timer(1, webbrowser.open, [address]).start()
    serve(app, options.host, options.port)
    return 0


def _site(options: argparse.Namespace) -> int:
    from songnet.realtime.site import find_models, write_site

    models = find_models(options.model)
    size = write_site(models, options.folder)
    print(
        f"{len(models)} {'network' if len(models) == 1 else 'networks'}, "
        f"{size / 2**20:.1f} MB for a first visit, written to {options.folder}\n"
        f"try it: python -m http.server --directory {shlex.quote(options.folder)}"
    )
    return 0


def _own_names() -> list[str]:
    """Names and addresses by which other devices may reach this machine."""
    import socket

    name = socket.gethostname()
    try:
        addresses = socket.gethostbyname_ex(name)[2]
    except OSError:
        addresses = []
    return [name, *(address for address in addresses if not address.startswith("127."))]


def _check_address(host: str, port: int) -> None:
    """Fail where the server could not listen."""
    import errno
    import socket

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
                raise SongNetError(f"--host: {host} is no address of this machine") from None
            raise SongNetError(f"--port: {host}:{port}: {error.strerror}; choose another") from None


def _get(options: argparse.Namespace) -> int:
    from songnet.models.pretrained import fetch_musicnn
    from songnet.pipeline.yaml_files import read_yaml
    from songnet.realtime.classify import description, find_model
    from songnet.realtime.installed import data_path

    path = data_path(options.name)
    fetch_musicnn(path, read_yaml(options.genres) if options.genres else None)
    print(f"{description(find_model(options.name))}\nwritten to {path}")
    print(f"try: songnet classify song.mp3 --model {options.name}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from songnet.realtime.classify import description, find_model
    from songnet.realtime.export import export_onnx

    model = find_model(options.model)
    if Path(options.output).is_dir():
        raise SongNetError(f"{options.output}: a folder, not a file")
    try:
        export_onnx(model, options.output)
    except OSError as error:
        raise SongNetError(f"{options.output}: {error.strerror}") from None
    print(f"{description(model)}\nwritten to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
