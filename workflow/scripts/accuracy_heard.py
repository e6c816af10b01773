"""Judge clips of which networks hear only the beginning."""

from songnet.pipeline.job import job

with job(snakemake):
    from pathlib import Path

    import pandas as pd
    from tqdm import tqdm

    from songnet.data.subsets import held_out
    from songnet.evaluation.runs import RunName, protocol_of
    from songnet.io import replacing
    from songnet.training.predict import Predictor

    tracks = pd.read_parquet(snakemake.input.tracks)
    part, known = held_out(tracks, snakemake.input.split)
    predictor = Predictor(snakemake.input.data, known, snakemake.threads)
    tables = []
    for path in tqdm(snakemake.input.models, desc="seconds heard", unit="network", disable=None):
        split, model, seed = RunName.of(Path(path).parent)
        for seconds in predictor.beginnings(snakemake.params.seconds):
            if not predictor.has_step(path, seconds):
                continue
            _, predicted, _ = predictor.predict(path, seconds)
            run = {"protocol": protocol_of(split), "split": split, "model": model, "seed": seed}
            correct = {"track_id": known.index, "correct": predicted == known["genre"].to_numpy()}
            tables.append(pd.DataFrame(run | {"part": part, "seconds": seconds} | correct))
    columns = ["protocol", "split", "model", "seed", "part", "seconds", "track_id", "correct"]
    found = pd.concat(tables) if tables else pd.DataFrame(columns=columns)
    with replacing(snakemake.output[0]) as temporary:
        found.to_parquet(temporary, index=False)
