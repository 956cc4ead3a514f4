import type * as tfjs from "@tensorflow/tfjs-core"
import * as Schema from "effect/Schema"
import { Stage } from "outcrop"
import { Train } from "outcrop/train"
import { selectRows, tripletCut } from "../../tensor/selection.ts"
import { batchAll, batchHard, distances } from "../../tensor/triplet-gradients.ts"

const share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const cut = (task: string) => `${task} cut`

/**
 * Triplet losses on one or several label sets: DTL (one class column), MATL (arXiv 2504.08054: a weighted sum over annotations) and TG-MATL
 * (arXiv 2604.03837: MATL on the samples that task-guided scores select). The loss is sum over tasks of weight * L_task, where L_task is
 * batch-all or batch-hard (see `tensor/triplets.ts`) on the task's class ids.
 *
 * `select` picks in each training batch, per class of the column `class`, the `top` share by the column `score` and a `more` share beyond;
 * rows that are not selected take part in no task. `fill` is how `more` is taken: `next-ranked` as the released code does, `random` as the
 * paper's text has it. `triplet` selects triplets instead of samples: in each task those with the highest s_a + s_p + s_n, a share of
 * top + more. That is the abstract's reading; its definition is ours. Validation is plain MATL on the whole fold.
 */
export default Train.make({
  name: "train/triplet",
  version: 1,
  summary: "triplet losses on one or several label sets: DTL, MATL, TG-MATL",
  paper: "TG-MATL (arXiv 2604.03837), MATL (arXiv 2504.08054)",
  with: {
    tasks: Schema.Record(Schema.NonEmptyString, Schema.Finite).check(Schema.isMinProperties(1)).annotate({ description: "weight of each annotation column of class ids, { class: 0.5, box: 0.5 }" }),
    triplets: Stage.withDefault(Schema.Literals(["all", "hard"]).annotate({ description: "all: mean over active triplets; hard: farthest positive and nearest negative of each anchor" }), "all"),
    margin: Stage.withDefault(Schema.Finite.annotate({ description: "margin between d(anchor, positive) and d(anchor, negative)" }), 0.1),
    select: Schema.optionalKey(
      Schema.Struct({
        top: share.annotate({ description: "share of a class that is taken by score, at least one sample" }),
        more: Stage.withDefault(share.annotate({ description: "share of a class that is taken beyond" }), 0.1),
        fill: Stage.withDefault(Schema.Literals(["next-ranked", "random", "triplet"]).annotate({ description: "how `more` is taken, or triplets instead of samples" }), "next-ranked")
      }).annotate({ description: "task-guided selection by the annotation column `score`; without it: none" })
    )
  },
  annotations: ({ select, tasks }) => [...Object.keys(tasks), ...(select === undefined ? [] : ["class", "score"])].filter((name, i, all) => all.indexOf(name) === i),
  compared: ({ tasks }) => Object.keys(tasks),
  working: ({ select, tasks }) => select?.fill === "triplet" ? Object.fromEntries(Object.keys(tasks).map((task) => [cut(task), -Infinity])) : {},
  masked: true,
  translationInvariant: true,
  select: (rows, { select, tasks }, random) => {
    if (select === undefined) return
    if (select.fill === "triplet") {
      for (const task of Object.keys(tasks)) rows[cut(task)]!.fill(tripletCut(rows[task]!, rows["score"]!, select))
      return
    }
    const selected = new Set(selectRows(rows["class"]!, rows["score"]!, select, select.fill, random))
    for (const task of Object.keys(tasks)) {
      const ids = rows[task]!
      for (let row = 0; row < ids.length; row++) if (!selected.has(row)) ids[row] = -1
    }
  },
  triplets: ({ margin, select, tasks, triplets }) => select?.fill === "triplet" ? undefined : { margin, tasks, triplets },
  loss: (tf, { annotations, z }, { margin, select, tasks, triplets }) => {
    if (triplets === "hard" && select?.fill === "triplet") {
      throw new Stage.StageError({ message: "train/triplet: fill: triplet selects among all triplets, and triplets: hard has one an anchor; choose one of the two" })
    }
    const names = Object.keys(tasks), rows = z.shape[0]
    const stacked = (columns: ReadonlyArray<string>): tfjs.Tensor2D => tf.reshape(tf.stack(columns.map((column) => annotations[column]!)), [names.length, rows])
    const d = distances(tf, z), ids = stacked(names)
    const chosen = select?.fill === "triplet" ? { score: tf.reshape<tfjs.Rank.R1>(annotations["score"]!, [rows]), cut: stacked(names.map(cut)) } : undefined
    const losses = triplets === "hard" ? batchHard(tf, d, ids, margin) : batchAll(tf, d, ids, margin, chosen)
    return tf.sum(tf.mul(losses, tf.stack(Object.values(tasks))))
  }
})
