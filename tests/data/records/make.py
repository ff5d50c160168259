"""Writes python.tfrecord, python.tfrecord.gz, schema.json and expected.json: records as other software writes them.

Needs `pip install tfrecord` (1.14.6 made the committed files). The gzip file holds two members, cut inside a record.
"""

import gzip
import json
import pathlib

import numpy as np
from tfrecord import example_pb2
from tfrecord.writer import TFRecordWriter

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(20230405)
CONT, BIN, DISCRETE = "home_recap_2022_cont__segdense_vals", "home_recap_2022_binary__segdense_vals", "home_recap_2022_discrete__segdense_vals"
EMBEDDINGS = {
    "user_embedding": "user.timelines.twhin_user_follow_embeddings.twhin_user_follow_embeddings",
    "user_eng_embedding": "user.timelines.twhin_user_engagement_embeddings.twhin_user_engagement_embeddings",
    "author_embedding": "original_author.timelines.twhin_author_follow_embeddings.twhin_author_follow_embeddings",
}
LABELS = ["recap.engagement.is_favorited", "recap.engagement.is_replied"]
schema = [("int64_list", DISCRETE, 3), ("float_list", CONT, 9), ("int64_list", BIN, 6)]
schema += [("float_list", name, 2) for name in EMBEDDINGS.values()]
schema += [("int64_list", name, 1) for name in ["meta.user_id", "meta.author_id", "meta.tweet_id", *LABELS]]
(here / "schema.json").write_text(
    json.dumps({"schema": [{"dtype": d, "feature_name": n, "length": l} for d, n, l in schema]}, indent=1) + "\n"
)

special = [0.0, -0.0, 1e-45, 3.4e38, -1.5, 0.1, 1 / 3, 16777217.0, -3e-39]
expected = []
writer = TFRecordWriter(str(here / "python.tfrecord"))
for index, user in enumerate([11, 11, 11, -(2**63), 2**63 - 1]):
    cont = np.float32(special if index == 0 else rng.normal(size=9) * 1000)
    row = {
        "meta.user_id": [user],
        "meta.author_id": [int(rng.integers(-(2**63), 2**63))],
        "meta.tweet_id": [1640000000000000000 + index],
        CONT: [float(v) for v in cont],
        BIN: [int(v) for v in ([0, 1, 127, 128, 255, 9] if index == 0 else rng.integers(0, 10, 6))],
        DISCRETE: [int(v) for v in rng.integers(-9, 10, 3)],
        **{name: [float(v) for v in np.float32(rng.normal(size=2))] for name in EMBEDDINGS.values()},
        **{name: [int(v)] for name, v in zip(LABELS, rng.integers(0, 2, 2))},
    }
    if index == 2:
        del row[LABELS[1]]  # a missing label is 0
    dtypes = {name: dtype.removesuffix("_list").replace("int64", "int") for dtype, name, _ in schema}
    writer.write({name: (values, dtypes[name]) for name, values in row.items()})
    expected.append(
        {
            "user_id": user,
            "author_id": row["meta.author_id"][0],
            "tweet_id": row["meta.tweet_id"][0],
            "continuous": row[CONT],
            "binary": row[BIN],
            **{column: row[name] for column, name in EMBEDDINGS.items()},
            "labels": [row.get(name, [0])[0] for name in LABELS],
        }
    )
writer.close()
(here / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
plain = (here / "python.tfrecord").read_bytes()
middle = len(plain) // 2 + 3
members = [gzip.compress(part, mtime=0) for part in (plain[:middle], plain[middle:])]
(here / "python.tfrecord.gz").write_bytes(b"".join(members))
