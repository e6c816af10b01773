"""From the bytes of audio to samples, spectrograms and descriptors."""
