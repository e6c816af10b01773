"""SongNet: real-time music genre classification.

The modules follow the data: ``demo`` and ``download`` make archives, ``archives`` and ``tracks``
read them, ``audio`` and ``mel`` and ``fma_features`` turn clips into numbers, ``splits`` divides
them, ``baselines``, ``crnn`` and ``training`` learn from them, ``evaluation`` and ``results`` say
how well, ``figures`` and ``tracking`` show it. Nothing here imports Snakemake.
"""

__version__ = "0.1.0"
