"""Two label sets of the samples: their class, and the rarest land cover in each picture that the training rows show often enough.

Reads the ports `samples` and `split`, writes `annotations`: class ids are int32, -1 is none, and the names of the ids of a column
stand in the schema's metadata under the column's name, as a JSON list.
"""

import json
import os
from collections import Counter

import pyarrow as pa

fewest = json.loads(os.environ["OUTCROP_PARAMS"])["fewest"]  # training pictures that a cover must be in


def read(port):
    with pa.OSFile(os.environ[f"OUTCROP_IN_{port}"]) as file:
        return pa.ipc.open_file(file).read_all().to_pydict()


samples, split = read("SAMPLES"), read("SPLIT")
covers = dict(zip(samples["sample_id"], samples["labels"]))

# learned from the training rows alone
seen = Counter(cover for sample, part in zip(split["sample_id"], split["split"]) if part == "train" for cover in covers[sample])
cover_names = sorted(cover for cover, count in seen.items() if count >= fewest)
class_names = sorted({label for label in samples["label"] if label is not None})


def rarest(found):
    known = [cover for cover in found if cover in cover_names]
    return cover_names.index(min(known, key=lambda cover: (seen[cover], cover))) if known else -1


table = pa.table(
    {
        "sample_id": samples["sample_id"],
        "class": pa.array([-1 if label is None else class_names.index(label) for label in samples["label"]], pa.int32()),
        "cover": pa.array([rarest(found) for found in samples["labels"]], pa.int32()),
    }
).replace_schema_metadata({"class": json.dumps(class_names), "cover": json.dumps(cover_names)})

with pa.OSFile(os.environ["OUTCROP_OUT_ANNOTATIONS"], "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
    writer.write_table(table)
