/**
 * Which row of the embeddings an anchor is, and which its positive: another view of the sample, another sample (another date of the place), or
 * both. Drawn anew for every batch.
 */
import type { Random } from "../math/random.ts"

/** A table of embeddings by sample: their ids in the table's order, and the row of each sample in each view (-1: it has none). */
export interface Viewed {
  readonly ids: ReadonlyArray<string>
  readonly views: ReadonlyMap<string, Int32Array>
}

/** Reads the samples and views of a table sorted by sample and view. */
export const viewed = ({ sample_id, view }: { readonly sample_id: ReadonlyArray<string>; readonly view: ReadonlyArray<string> }): Viewed => {
  const ids: Array<string> = [], sampleOf = new Int32Array(sample_id.length), views = new Map<string, Int32Array>()
  for (const [row, id] of sample_id.entries()) {
    if (id !== ids.at(-1)) ids.push(id)
    sampleOf[row] = ids.length - 1
  }
  for (const [row, name] of view.entries()) {
    let rows = views.get(name)
    if (rows === undefined) views.set(name, rows = new Int32Array(ids.length).fill(-1))
    rows[sampleOf[row]!] = row
  }
  return { ids, views }
}

/** Positives of each anchor among the samples, with cumulated weights; those who have none are their own. */
export type Positives = ReadonlyMap<number, { readonly samples: ReadonlyArray<number>; readonly cumulated: ReadonlyArray<number> }>

/** Where positives come from. */
export interface Keys {
  /** The row of the embeddings of each sample, view by view of those that a positive is drawn from. */
  readonly views: ReadonlyArray<Int32Array>
  readonly positives: Positives
}

/** Positives from pairs of sample ids; pairs of samples that are not here, or of different `role`, are passed over. */
export const positivesOf = (
  pairs: { readonly anchor: ReadonlyArray<string>; readonly positive: ReadonlyArray<string>; readonly weight: Float32Array },
  ids: ReadonlyArray<string>,
  role: (sample: number) => string
): Positives => {
  const places = new Map(ids.map((id, i) => [id, i])), found = new Map<number, { readonly samples: Array<number>; readonly cumulated: Array<number> }>()
  for (const [i, anchor] of pairs.anchor.entries()) {
    const from = places.get(anchor), to = places.get(pairs.positive[i]!), weight = pairs.weight[i]!
    if (from === undefined || to === undefined || !(weight > 0) || role(from) !== role(to)) continue
    let own = found.get(from)
    if (own === undefined) found.set(from, own = { samples: [], cumulated: [] })
    own.samples.push(to)
    own.cumulated.push((own.cumulated.at(-1) ?? 0) + weight)
  }
  return found
}

const positiveOf = (anchor: number, { positives }: Keys, random: () => Random): number => {
  const own = positives.get(anchor)
  if (own === undefined) return anchor
  if (own.samples.length === 1) return own.samples[0]!
  const at = random().uniform() * own.cumulated.at(-1)!
  return own.samples[own.cumulated.findIndex((sum) => at < sum)]!
}
const any = (rows: ReadonlyArray<number>, random: () => Random): number => rows.length === 1 ? rows[0]! : rows[random().integer(rows.length)]!

export interface Drawn {
  readonly anchors: Int32Array
  /** As many as there are anchors; empty where the loss asks for none. */
  readonly positives: Int32Array
  /** The samples that the positives are of. */
  readonly samples: Int32Array
}

/**
 * The rows of the embeddings for a batch of samples. Views and positives are drawn uniformly and by weight; where the positive is the
 * sample itself it is another view than the anchor's, if there is one.
 */
export const drawRows = ({ keys, queries }: { readonly queries: ReadonlyArray<Int32Array>; readonly keys: Keys | undefined }, samples: Int32Array, random: () => Random): Drawn => {
  const anchors = Int32Array.from(samples, (sample) => any(queries.map((view) => view[sample]!), random))
  if (keys === undefined) return { anchors, positives: new Int32Array(), samples: new Int32Array() }
  const chosen = new Int32Array(samples.length), positives = Int32Array.from(samples, (sample, i) => {
    const positive = chosen[i] = positiveOf(sample, keys, random), rows = keys.views.map((view) => view[positive]!), others = rows.filter((row) => row !== anchors[i])
    return any(others.length > 0 ? others : rows, random)
  })
  return { anchors, positives, samples: chosen }
}
