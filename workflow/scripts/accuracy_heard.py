"""Accuracy of networks that hear only the beginning of each clip."""

from songnet.job import job

with job(snakemake):
    from pathlib import Path

    import pandas as pd
    from tqdm import tqdm

    from songnet.files import replacing
    from songnet.prediction import Predictor
    from songnet.runs import RunName, protocol_of
    from songnet.splits import held_out

    tracks = pd.read_parquet(snakemake.input.tracks)
    part, known = held_out(tracks, snakemake.input.split)
    predictor = Predictor(snakemake.input.data, known, snakemake.threads)
    rows = []
    for path in tqdm(snakemake.input.models, desc="seconds heard", unit="network", disable=None):
        split, model, seed = RunName.of(Path(path).parent)
        for seconds in snakemake.params.seconds:
            if not predictor.hears(path, seconds):
                continue
            _, predicted, _ = predictor.predict(path, seconds)
            accuracy = (predicted == known["genre"]).mean()
            run = (protocol_of(split), split, model, seed)
            rows.append((*run, part, seconds, accuracy, len(known)))
    columns = ["protocol", "split", "model", "seed", "part", "seconds", "accuracy", "tracks"]
    with replacing(snakemake.output[0]) as temporary:
        pd.DataFrame(rows, columns=columns).to_csv(temporary, index=False)
