"""``songnet listen``: classify a stream of raw samples."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from songnet.commands.options import add_model, positive
from songnet.errors import SongNetError

if TYPE_CHECKING:
    from songnet.realtime.model import Model
    from songnet.realtime.stream import Step


def add(commands: Any) -> None:
    """Add the subcommand to a parser's subparsers."""
    parser = commands.add_parser(
        "listen", help="classify raw samples from a pipe in real time",
        description="For example: arecord -t raw -f S16_LE -r 44100 | songnet listen",
    )  # fmt: skip
    parser.add_argument("--rate", type=positive, default=44_100, metavar="HZ",
                        help="sample rate (default: 44100)")  # fmt: skip
    parser.add_argument("--channels", type=positive, default=1, metavar="N", help="default: 1")
    parser.add_argument("--format", choices=["s16le", "s32le", "f32le"], default="s16le",
                        help="sample format (default: s16le)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one line of JSON per step")
    add_model(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Classify samples from standard input until it ends."""
    from songnet.features.audio import MAX_CHANNELS, RATES
    from songnet.realtime.classify import find_model
    from songnet.realtime.listen import listen, read_samples

    if sys.stdin.isatty():
        raise SongNetError("listen reads samples from a pipe: ffmpeg ... | songnet listen")
    if options.rate not in RATES:
        raise SongNetError(f"--rate: expected {RATES[0]} to {RATES[-1]} Hz, got {options.rate}")
    if options.channels > MAX_CHANNELS:
        raise SongNetError(f"--channels: expected {MAX_CHANNELS} at most, got {options.channels}")
    model = find_model(options.model)
    # Unbuffered, so that no step waits for a full buffer.
    pipe = os.fdopen(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    pieces = read_samples(pipe, options.format, options.channels, options.rate)
    show = _print_json if options.json else _show
    if not show(listen(model, pieces, options.rate), model):
        raise SongNetError(f"no complete step: a step is {model.step_seconds:.2f} s")
    return 0


def _print_json(steps: Iterator["Step"], model: "Model") -> bool:
    """Print one line per step; return whether there was any step."""
    step = None
    for step in steps:
        kinds = {"now": step.step_probabilities, "overall": step.clip_probabilities}
        shares = {
            kind: dict(zip(model.genres, map(float, values), strict=True))
            for kind, values in kinds.items()
        }
        facts = {"seconds": round(step.seconds, 3), "silent": step.silent}
        print(json.dumps(facts | shares), flush=True)
    return step is not None


def _show(steps: Iterator["Step"], model: "Model") -> bool:
    """Update the display at each step; return whether there was any step."""
    from rich.console import Console
    from rich.live import Live

    from songnet.realtime.listen import headline, picture

    console = Console()
    step = None
    # A microphone only stops on Ctrl-C; the last prediction stays on the screen.
    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(console=console, transient=True, refresh_per_second=8) as live,
    ):
        for step in steps:
            live.update(picture(step, model))
    if step is not None:
        console.print(headline(step, model))
    return step is not None
