/** One training of the tables that it is handed: which rows train, what is read of them, and the layers that its loss brings along. */
import { Stage, type Vectors } from "outcrop"
import type { Scaling } from "../math/scaling.ts"
import { type Annotated, type Columns, readAnnotations } from "./annotated.ts"
import { batchRows } from "./batches.ts"
import { type Keys, positivesOf, type Viewed, viewed } from "./drawing.ts"
import type { Shapes } from "./optimiser.ts"
import type { Settings } from "./settings.ts"
import { standardized } from "./standardization.ts"
import { queueLength } from "./target.ts"
import type { Variant } from "./variant.ts"

/** Where the positive of each anchor comes from, and what projects it. */
export interface PositiveSource {
  /** Views that the positive is drawn from. */
  readonly key: ReadonlyArray<string>
  /** `views`: of the same sample; `pairs`: of a sample that the port `pairs` names, or of itself where that names none. */
  readonly positives: "views" | "pairs"
  /** The positives are projected by a copy of the head that follows it with this momentum, and no gradient passes; without, by the head itself. */
  readonly momentum?: number
  /** So many keys of batches before are kept for the loss (`Batch.queue`): whole batches, fewer where the training rows are fewer than a batch. */
  readonly queue?: number
}

/** The tables, as a training reads them. */
export interface Inputs {
  readonly embeddings: { readonly sample_id: ReadonlyArray<string>; readonly view: ReadonlyArray<string>; readonly embedding: Vectors }
  readonly annotations: Annotated | undefined
  readonly split: { readonly split: ReadonlyArray<string> } | undefined
  /** Read by losses with positives alone. */
  readonly pairs?: Parameters<typeof positivesOf>[0] | undefined
}

/** What a loss asks of the tables with the parameters that it has; see `Specification`. */
export interface Asked extends Columns, Pick<Variant, "absent" | "scalars" | "select"> {
  /** Name of the stage, for messages. */
  readonly name: string
  readonly masked: boolean
  readonly query: ReadonlyArray<string> | undefined
  readonly positives: PositiveSource | undefined
  readonly layers: (classes: (column: string) => number) => Shapes
}

/** One training, and the layers that its loss brings along: their shapes may follow from the annotations. */
export interface Task {
  readonly variant: Variant
  readonly layers: Shapes
  /** Keys of the queue; 0: there is none. */
  readonly queue: number
  readonly scaling: Scaling | undefined
}

/** The rows of the views that a parameter names; every sample must have each of them. */
const rowsOf = (name: string, { ids, views }: Viewed, wanted: ReadonlyArray<string>): ReadonlyArray<Int32Array> =>
  wanted.map((view) => {
    const rows = views.get(view)
    if (rows === undefined) throw new Stage.StageError({ message: `${name}: the embeddings have no view "${view}"; they have ${[...views.keys()].join(", ")}. Name views that are there, or add it to \`views\` of the embedding` })
    const without = rows.indexOf(-1)
    if (without >= 0) throw new Stage.StageError({ message: `${name}: sample ${ids[without]} has no embedding of the view "${view}"` })
    return rows
  })

const keysOf = (name: string, { key, positives }: PositiveSource, query: ReadonlyArray<string>, samples: Viewed, { pairs, split }: Inputs): Keys => {
  if (positives === "pairs" && pairs === undefined) throw new Stage.StageError({ message: `${name}: \`positives: pairs\` needs the port \`pairs\`; mine/temporal-positives gives them` })
  const alone = positives === "views" ? query.find((view) => key.every((other) => other === view)) : undefined
  if (alone !== undefined) {
    throw new Stage.StageError({ message: `${name}: a sample in its view "${alone}" would be its own positive, as no other view is a key; name another view in \`query\` or \`key\`, or bind \`pairs\` and say \`positives: pairs\`` })
  }
  return { views: rowsOf(name, samples, key), positives: pairs === undefined ? new Map() : positivesOf(pairs, samples.ids, (sample) => split?.split[sample] ?? "") }
}

/** The training of some tables. Throws a `StageError` where they do not have what the loss asks for. */
export const taskOf = (inputs: Inputs, asked: Asked, settings: Settings): Task => {
  const { absent, layers, masked, name, positives, query: seen, scalars, select } = asked
  const { annotations, embeddings, split } = inputs, samples = viewed(embeddings)
  const query = seen ?? [samples.views.size > 1 ? "full" : [...samples.views.keys()][0] ?? "full"]
  const rows = Int32Array.from(samples.ids.keys())
  const train = split === undefined ? rows : rows.filter((row) => split.split[row] === "train")
  if (train.length === 0) throw new Stage.StageError({ message: `${name}: there are no training rows; ${rows.length === 0 ? "the tables that are joined share no sample_id" : "the split marks none as train"}` })
  const { classesOf, columns } = readAnnotations(name, annotations, asked, train)
  const queries = rowsOf(name, samples, query)
  const { embeddings: vectors, scaling } = settings.standardize ? standardized(embeddings.embedding, Int32Array.from(queries.flatMap((view) => Array.from(train, (row) => view[row]!)))) : { embeddings: embeddings.embedding, scaling: undefined }
  const variant: Variant = {
    embeddings: vectors,
    train,
    val: split === undefined ? new Int32Array(0) : rows.filter((row) => split.split[row] === "val"),
    queries,
    keys: positives === undefined ? undefined : keysOf(name, positives, query, samples, inputs),
    keyMomentum: positives?.momentum ?? 0,
    columns,
    absent,
    scalars,
    optimiser: settings.optimizer,
    rate: settings.rate,
    schedule: settings.schedule,
    momentum: settings.momentum,
    decay: settings.decay,
    epochs: settings.epochs,
    patience: settings.patience,
    seed: settings.seed,
    ...(select === undefined ? {} : { select })
  }
  return {
    variant,
    scaling,
    queue: positives?.queue === undefined ? 0 : queueLength(positives.queue, settings.batch, batchRows(settings.batch, train.length, masked)),
    layers: layers(classesOf)
  }
}
