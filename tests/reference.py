"""Features as librosa's own functions give them; benchmarks time them, too."""

import librosa
import numpy as np
from scipy import stats

from songnet.features.fma518 import DIMENSIONS, SAMPLE_RATE


def librosa_features(samples: np.ndarray) -> np.ndarray:
    """FMA's own recipe: librosa's descriptors, one STFT and one constant-Q transform for all."""
    stft = np.abs(librosa.stft(samples, n_fft=2048, hop_length=512))
    cqt = np.abs(librosa.cqt(samples, sr=SAMPLE_RATE, hop_length=512, n_bins=84, tuning=None))
    octaves = {"n_chroma": 12, "n_octaves": 7, "bins_per_octave": 12}
    cens = librosa.feature.chroma_cens(C=cqt, **octaves)
    mel = librosa.feature.melspectrogram(sr=SAMPLE_RATE, S=stft**2)
    found = {
        "chroma_cens": cens,
        "chroma_cqt": librosa.feature.chroma_cqt(C=cqt, **octaves),
        "chroma_stft": librosa.feature.chroma_stft(S=stft**2, n_chroma=12),
        "mfcc": librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=20),
        "rmse": librosa.feature.rms(S=stft),
        "spectral_bandwidth": librosa.feature.spectral_bandwidth(S=stft),
        "spectral_centroid": librosa.feature.spectral_centroid(S=stft),
        "spectral_contrast": librosa.feature.spectral_contrast(S=stft, n_bands=6),
        "spectral_rolloff": librosa.feature.spectral_rolloff(S=stft),
        "tonnetz": librosa.feature.tonnetz(chroma=cens),
        "zcr": librosa.feature.zero_crossing_rate(samples, frame_length=2048, hop_length=512),
    }
    functions = [stats.kurtosis, np.max, np.mean, np.median, np.min, stats.skew, np.std]
    return np.concatenate(
        [f(found[name].astype(np.float64), axis=1) for name in DIMENSIONS for f in functions]
    )
