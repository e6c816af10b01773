"""SongNet: music genre classification, from archives of audio to a results table and a live page.

One package a stage, in the order in which data flow: ``features``, ``data``, ``models``,
``training``, ``evaluation``, ``report``, ``realtime``, ``tracking``, ``pipeline``. Nothing here
imports Snakemake.
"""

__version__ = "0.1.0"
