"""Mel-spectrograms and the 518 features, compared with librosa, torch and decoding alone."""

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile as sf
import soxr
import torch
from tests.reference import librosa_features
from threadpoolctl import threadpool_limits

from benchmarks.measure import Section, Times, in_turn, spread
from songnet.data.archives import open_zip
from songnet.data.fma_zip import FmaZip, member_name
from songnet.features.audio import average_channels, decode, resample
from songnet.features.fma518 import SAMPLE_RATE, fma_features
from songnet.features.mel import BLOCK, MelSpectrogram, mel_filters

CONFIG = MelSpectrogram()
SECONDS = 30.0
Read = Callable[[int], io.BytesIO]


def librosa_mel(file: io.BytesIO) -> np.ndarray:
    """Compute a mel-spectrogram as in librosa's tutorial."""
    samples, rate = librosa.load(file, sr=CONFIG.sample_rate)
    return librosa.power_to_db(librosa.feature.melspectrogram(y=samples, sr=rate))


def torch_mel(file: io.BytesIO) -> torch.Tensor:
    """Compute a mel-spectrogram as torchaudio does: ``torch.stft`` and a matrix product."""
    samples, rate = sf.read(file, dtype="float32", always_2d=True)
    mono = soxr.resample(average_channels(samples), rate, CONFIG.sample_rate)
    window = torch.hann_window(CONFIG.n_fft)
    spectrum = torch.stft(
        torch.from_numpy(mono), CONFIG.n_fft, CONFIG.hop_length, window=window,
        pad_mode="constant", return_complex=True,
    )  # fmt: skip
    mel = (
        torch.from_numpy(mel_filters(CONFIG.sample_rate, CONFIG.n_fft, CONFIG.n_mels))
        @ spectrum.abs() ** 2
    )
    return 10 * torch.log10(mel.clamp_min(1e-10))


def transforms(windowed: np.ndarray) -> None:
    """Compute only the Fourier transforms of (frames, n_fft), in double precision as librosa."""
    for first in range(0, len(windowed), BLOCK):
        np.fft.rfft(windowed[first : first + BLOCK])


def usable_clips(archive: Path, count: int) -> tuple[str, list[int]]:
    """Select clips of full length, evenly spaced in the archive.

    If there are enough, all are stereo at 44.1 kHz, the usual format of FMA.

    Returns:
        FMA's subset and the track ids.
    """
    subset = archive.stem.removeprefix("fma_")
    whole, usual = [], []
    with open_zip(archive) as file:
        for track_id in sorted(FmaZip([str(archive)]).track_ids()):
            try:
                info = sf.info(io.BytesIO(file.read(member_name(subset, track_id))))
            except (sf.LibsndfileError, zipfile.BadZipFile):
                continue
            if info.duration >= SECONDS - 1:
                whole.append(track_id)
                if (info.channels, info.samplerate) == (2, 44_100):
                    usual.append(track_id)
    clips = usual if len(usual) >= count else whole
    return subset, clips[:: max(1, len(clips) // count)][:count]


def measure(archive: Path, repeats: int, count: int = 8) -> list[Section]:
    """Compare the methods on clips of an archive, starting from the zip member."""
    torch.set_num_threads(1)
    subset, clips = usable_clips(archive, count)
    source = FmaZip([str(archive)])
    with (
        threadpool_limits(limits=1),
        open_zip(archive) as file,
        source.spectrograms(clips, CONFIG, 5, SECONDS) as spectrograms,
    ):

        def read(track_id: int) -> io.BytesIO:
            return io.BytesIO(file.read(member_name(subset, track_id)))

        def on_all(way: Callable[[int], object]) -> Callable[[], object]:
            return lambda: [way(track_id) for track_id in clips]

        clip_samples = {i: decode(read(i)) for i in clips}
        windowed = np.random.default_rng(0).normal(size=(CONFIG.frames(SECONDS), CONFIG.n_fft))
        mel = in_turn(
            {
                "reading the zip member": on_all(read),
                "reading and decoding": on_all(lambda i: sf.read(read(i), dtype="float32")),
                "SongNet": on_all(lambda i: spectrograms.read(i)[0].astype(np.float16)),
                "torch.stft": on_all(lambda i: torch_mel(read(i))),
                "librosa": on_all(lambda i: librosa_mel(read(i))),
                "resampling alone": on_all(lambda i: resample(clip_samples[i], CONFIG.sample_rate)),
                "Fourier transforms alone": on_all(lambda i: transforms(windowed)),
            },
            repeats,
        )
        samples = {i: resample(decode(read(i)), SAMPLE_RATE) for i in clips}
        features = in_turn(
            {
                "SongNet": on_all(lambda i: fma_features(samples[i])),
                "librosa": on_all(lambda i: librosa_features(samples[i])),
            },
            repeats,
        )
        about = _about([sf.info(read(i)) for i in clips], [len(read(i).getvalue()) for i in clips])
    agreement = _agreement(list(samples.values()))
    decoding, ours, theirs = (
        mel[name] - mel["reading the zip member"]
        for name in ("reading and decoding", "SongNet", "librosa")
    )
    needed = mel["reading and decoding"] + mel["resampling alone"] + mel["Fourier transforms alone"]
    clip = "CPU time per clip, ms"
    return [
        Section(
            "Mel-spectrograms",
            f"{about} From the zip member to the spectrogram, on one core. Without unzipping, "
            f"SongNet takes {spread(ours / decoding)} × the time of decoding alone, and librosa "
            f"{spread(theirs / ours)} × the time of SongNet. Reading, decoding, resampling and "
            f"Fourier transforms alone, the minimum for these values, take "
            f"{spread(needed / mel['SongNet'])} × the time of SongNet. " + agreement[0],
            [
                {
                    "method": name,
                    clip: spread(1e3 * times / len(clips), 1),
                    "× reading and decoding": spread(times / mel["reading and decoding"]),
                    "× SongNet": spread(times / mel["SongNet"]),
                }
                for name, times in mel.items()
            ],
            {
                "mel: reading and decoding alone": mel["reading and decoding"] / mel["SongNet"],
                "mel: torch.stft": mel["torch.stft"] / mel["SongNet"],
                "mel: librosa": mel["librosa"] / mel["SongNet"],
            },
        ),
        Section(
            "The 518 features",
            "The same clips, starting from decoded samples. The librosa script computes one STFT "
            "and one constant-Q transform per clip, as FMA's script does. " + agreement[1],
            [
                {
                    "method": name,
                    clip: spread(1e3 * times / len(clips), 1),
                    "× SongNet": spread(times / features["SongNet"]),
                }
                for name, times in features.items()
            ],
            {"518 features: librosa": features["librosa"] / features["SongNet"]},
        ),
        _scaling(archive, clips, repeats),
    ]


def _about(infos: list[Any], sizes: list[int]) -> str:
    channels = sum(info.channels == 2 for info in infos)
    rates = sorted({info.samplerate for info in infos})
    rate = 8 * sum(sizes) / sum(info.duration for info in infos) / 1000
    return (
        f"{len(infos)} clips of {SECONDS:g} s, {channels} in stereo, "
        f"{', '.join(map(str, rates))} Hz, {rate:.0f} kbit/s on average."
    )


def _agreement(samples: list[np.ndarray]) -> tuple[str, str]:
    """Describe the differences between SongNet's and librosa's values."""
    worst, close = 0.0, []
    for x in samples:
        power = librosa.feature.melspectrogram(y=x, sr=CONFIG.sample_rate)
        theirs = librosa.power_to_db(power, top_db=None)
        above = theirs > CONFIG.floor + 0.1
        worst = max(worst, float(np.abs(CONFIG.offline(x) - theirs)[above].max()))
        ours, reference = fma_features(x), librosa_features(x)
        # Skewness and kurtosis of constant features are 0 in SongNet and NaN in librosa.
        reference = np.nan_to_num(reference)
        close.append(np.abs(ours - reference) <= np.maximum(1e-3 * np.abs(reference), 1e-5))
    return (
        f"Largest difference from librosa on the same samples, above the floor: {worst:.0e} dB.",
        f"{100 * np.mean(close):.3f} % of the values differ from librosa's by at most 10⁻³.",
    )


WORKER = """
import json, sys, time
from pathlib import Path
from songnet.data.fma_zip import FmaZip
from songnet.features.fma518 import SAMPLE_RATE, fma_features
from songnet.features.mel import MelSpectrogram
archive, kind, *clips = sys.argv[1:]
source = FmaZip([archive])
with (
    source.spectrograms([], MelSpectrogram(), 5, 30) as spectrograms,
    source.samples(SAMPLE_RATE, 30) as samples,
):
    run = spectrograms.read if kind == "mel" else lambda i: fma_features(samples(i))
    run(int(clips[0]))
    cpu, wall = time.process_time(), time.perf_counter()
    for i in clips: run(int(i))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
# Not ru_maxrss, which a child process inherits from its parent.
peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps([cpu, wall, peak]))
"""


def _scaling(archive: Path, clips: list[int], repeats: int) -> Section:
    """Compare one job alone with one job on each core."""
    cores = len(os.sched_getaffinity(0))
    pinned = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}

    def jobs(kind: str, count: int) -> Times:
        """Run jobs in parallel; return CPU seconds, seconds and MB of each, (jobs, 3)."""
        command = [sys.executable, "-c", WORKER, str(archive), kind, *map(str, clips)]
        with tempfile.TemporaryDirectory() as folder:
            running = [
                subprocess.Popen(
                    command, stdout=subprocess.PIPE, cwd=folder, env=os.environ | pinned
                )
                for _ in range(count)
            ]
            return np.array([json.loads(job.communicate()[0]) for job in running])

    rows = []
    for kind, title in (("mel", "mel-spectrograms"), ("features", "518 features")):
        alone, together = zip(*[(jobs(kind, 1), jobs(kind, cores)) for _ in range(repeats)],
                              strict=True)  # fmt: skip
        efficiency = [a[:, 0].mean() / t[:, 0].mean() for a, t in zip(alone, together, strict=True)]
        everything = np.concatenate([*alone, *together])
        rows.append(
            {
                "stage": title,
                f"efficiency on {cores} cores, %": spread(100 * np.array(efficiency), 0),
                "cores used per job": spread(everything[:, 0] / everything[:, 1]),
                "peak memory per job, MB": f"{everything[:, 2].max():.0f}",
            }
        )
    return Section(
        "Scaling",
        "Efficiency is the CPU time per clip of a single job divided by that of parallel jobs on "
        "all cores. Fewer than one core per job means that the machine had other work.",
        rows,
    )
