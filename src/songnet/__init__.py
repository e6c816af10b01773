"""SongNet: real-time music genre classification.

The modules follow the data: ``demo`` and ``download`` make archives, ``archives`` and ``tracks``
read them, ``audio`` and ``mel`` and ``fma_features`` turn clips into numbers, ``splits`` divides
them, ``baselines``, ``networks`` and ``training`` learn from them, ``evaluation`` and ``results``
say how well, ``analysis`` and ``filters`` why, ``figures``, ``pages`` and ``tracking`` show it,
``realtime`` and what stands on it (``classify``, ``listen``, ``server``) classify music as it plays.
Nothing here imports Snakemake.
"""

__version__ = "0.1.0"
