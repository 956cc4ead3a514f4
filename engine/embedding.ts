/**
 * Runs an embed stage row by row, a row being one view of one sample: rows whose vectors are cached (by whichever pipeline) are taken from
 * there, the missing ones are embedded in chunks over all workers, and every finished chunk is kept at once, so that an interrupted run loses
 * at most the chunks in flight.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Output } from "../cache/action.ts"
import type { Cache } from "../cache/cache.ts"
import { type Document, digestOf } from "../cache/canonical.ts"
import { rowDigests } from "../cache/digest.ts"
import { gather, keepSegment, Places, rowKey, UnequalRows } from "../cache/segments.ts"
import { encode } from "../schemas/arrow.ts"
import type { ColumnTypes } from "../schemas/column.ts"
import { compareText, make, type Table } from "../schemas/table.ts"
import type { View } from "../stages/stage.ts"
import type { Node } from "./expand.ts"
import { columnsOf } from "./output.ts"
import { type Done, WorkFailed } from "./pool.ts"
import type { InputTable, Job, MemberResult } from "./protocol.ts"
import { embeddingColumns, type Tables } from "./tables.ts"

/** Rows in one call of a worker: small enough to lose little; windows of one scene stay together up to the second bound, so it is decoded once. */
const chunkRows = 64, sceneRows = 256

export interface RowCounts {
  readonly embedded: number
  readonly cached: number
}

/** The views that a node embeds, in the order of their rows. */
export const viewsOf = ({ implementation: { stage }, parameters }: Node): ReadonlyArray<View> =>
  (stage.views?.(parameters) ?? [{ name: "full" }]).toSorted((a, b) => compareText(a.name, b.name))

const without = <A>(all: Readonly<Record<string, A>>, isOut: (name: string, value: A) => boolean): Record<string, A> =>
  Object.fromEntries(Object.entries(all).filter(([name, value]) => !isOut(name, value)))

/**
 * What a vector depends on besides its row: code, parameters, the view, engine, the ports that hold no rows of samples, and what was learned.
 * The view that is the sample as it is leaves no mark, so it is one with that of a stage or pipeline that knows no views; a split shows only
 * in what was learned.
 */
const embedderOf = ({ implementation: { stage } }: Node, preimage: Preimage, learned: Readonly<Record<string, Output>>, view: View): string => {
  const { ports, with: parameters, ...own } = preimage
  const others = without(ports as Preimage, (port) => ["samples", "split"].includes(stage.needs[port]!.table.name))
  return digestOf("embedder", {
    ...own,
    with: stage.views === undefined ? parameters : without(parameters as Preimage, (name) => name === "views"),
    ...(Object.keys(view).length === 1 ? {} : { view: view as Preimage }),
    ...(Object.keys(others).length === 0 ? {} : { ports: others }),
    learned: Object.fromEntries(Object.entries(learned).map(([port, output]) => [port, Object.fromEntries(Object.entries(output.columns).map(([name, { digest }]) => [name, digest]))]))
  })
}
type Preimage = Readonly<Record<string, Document>>

/** The keys of the rows of an embedding: of each sample one a view. Where a file lies is not in them, its content is. */
const rowKeysOf = (embedders: ReadonlyArray<string>, samples: Table, read: ReadonlyArray<string>): Array<Uint8Array> =>
  rowDigests(samples, read.filter((name) => name !== "sample_id")).flatMap((digest) => embedders.map((embedder) => rowKey(embedder, digest)))

/** How many rows of an embedding would be computed and how many are cached; for stages that learn nothing first. */
export const countRows = (cache: Cache, node: Node, preimage: Preimage, samples: Table, read: ReadonlyArray<string>): RowCounts => {
  const all = rowKeysOf(viewsOf(node).map((view) => embedderOf(node, preimage, {}, view)), samples, read)
  const keys = new Map(all.map((key) => [Buffer.from(key).toString("hex"), key]))
  let cached = 0
  for (const key of keys.values()) if (cache.index.row(key) !== undefined) cached++
  return { embedded: keys.size - cached, cached: all.length - (keys.size - cached) }
}

export const embedder = (options: {
  readonly cache: Cache
  readonly tables: Tables
  readonly jobs: number
  /** Runs a job on a worker when one is free. */
  readonly call: (job: Job, onProgress: (done: number, total: number) => void) => Effect.Effect<Done, WorkFailed>
}) => {
  const { cache, call, jobs, tables } = options
  const locks = new Map<string, Semaphore.Semaphore>()
  /** Embeds the samples for one node. Nodes that differ in their views at most take turns, so rows they share are embedded once. */
  return Effect.fnUntraced(function*(node: Node, samples: Table, job: Omit<Job, "task" | "learned">, preimage: Preimage, onProgress: (done: number, total: number) => void) {
    const { stage } = node.implementation
    const member = job.members[0]!
    const { read } = Object.values(member.inputs).find(({ table }) => table === "samples")!
    const fitted: MemberResult | undefined = stage.fit === undefined ? undefined : (yield* call({ ...job, task: "fit", learned: {} }, () => {})).results[0]
    const learnedOutputs = fitted?.outputs ?? {}
    for (const [blob, bytes] of Object.entries(fitted?.inline ?? {})) tables.hold(blob, { bytes }, bytes.length)
    const learned = Object.fromEntries(Object.entries(learnedOutputs).map(([name, output]): [string, InputTable] => [name, tables.input("", output, Object.keys(output.columns))]))
    const views = viewsOf(node)
    const twice = views.find(({ name }, v) => v > 0 && views[v - 1]!.name === name)
    if (twice !== undefined) return yield* new WorkFailed({ message: `${stage.name} gives two views the name "${twice.name}"`, expected: true, lostPixels: false })
    const name = embedderOf(node, preimage, learnedOutputs, { name: "full" })
    // a stage is handed no more than the keys of its rows cover
    const parameters = stage.views === undefined ? member.parameters : without(member.parameters as Readonly<Record<string, unknown>>, (parameter) => parameter === "views")
    const embedding = { ...job, learned, members: [{ parameters, inputs: without(member.inputs, (_, { table }) => table === "split") }] }
    let lock = locks.get(name)
    if (lock === undefined) {
      lock = Semaphore.makeUnsafe(1)
      locks.set(name, lock)
    }
    const work = Effect.gen(function*() {
      const keys = rowKeysOf(views.map((view) => embedderOf(node, preimage, learnedOutputs, view)), samples, read)
      const hex = keys.map((key) => Buffer.from(key).toString("hex"))
      const notices = [...(fitted?.notices ?? [])]
      let embedded = 0
      // a damaged segment shows only when its vectors are gathered: its rows are missing then, and a second pass embeds them
      for (let pass = 0; pass < 3; pass++) {
        const missing = new Map<string, number>()
        keys.forEach((key, row) => {
          if (!missing.has(hex[row]!) && cache.index.row(key) === undefined) missing.set(hex[row]!, row)
        })
        const chunks = views.flatMap((view, v) => {
          const rows = [...missing.values()].flatMap((row) => row % views.length === v ? [Math.floor(row / views.length)] : [])
          return chunksOf(rows, samples, jobs).map((rows) => ({ view, rows, keys: Array.from(rows, (row) => keys[row * views.length + v]!) }))
        })
        let done = 0
        const within = new Map<Int32Array, number>()
        const progress = () => onProgress(Array.from(within.values()).reduce((sum, rows) => sum + rows, done), missing.size)
        const counted = (chunk: Int32Array) => (rows: number) => {
          within.set(chunk, rows)
          progress()
        }
        yield* Effect.forEach(chunks, ({ keys, rows, view }) => Effect.map(call({ ...embedding, task: "embed", rows, view }, counted(rows)), ({ results, vectors }) => {
          keepSegment(cache.store, cache.index, keys, vectors!)
          for (const text of results[0]!.notices) if (!notices.includes(text)) notices.push(text)
          within.delete(rows)
          done += rows.length
          embedded += rows.length
          progress()
        }), { concurrency: jobs, discard: true })
        const places = keys.map((key) => cache.index.row(key)!)
        const ids = (samples.columns.get("sample_id")!.column as ColumnTypes["text"]).flatMap((id) => views.map(() => id))
        const vectors = yield* Effect.try({ try: () => gather(cache.store, cache.index, places), catch: unequal(ids) })
        if (vectors === undefined) continue
        const names = ids.map((_, row) => views[row % views.length]!.name)
        const table = make(Places, { sample_id: ids, view: names, segment: places.map(({ segment }) => segment), position: Int32Array.from(places, ({ position }) => position) })
        const blob = cache.store.putBlob(encode(table))
        const columns = embeddingColumns(ids, names, vectors)
        tables.hold(blob, { columns }, vectors.values.byteLength)
        const output: Output = {
          table: "embeddings",
          rows: ids.length,
          columns: columnsOf({ columns }),
          metadata: {},
          blob,
          bytes: vectors.values.byteLength,
          kept: "rows"
        }
        const result: MemberResult = { outputs: { ...learnedOutputs, [Object.keys(stage.gives)[0]!]: output }, inline: fitted?.inline ?? {}, notices, ...(fitted?.handed === undefined ? {} : { handed: fitted.handed }), trace: {} }
        const counts: RowCounts = { embedded, cached: ids.length - embedded }
        return { result, counts }
      }
      return yield* new WorkFailed({ message: "cached embedding rows are damaged again and again: is the disk failing?", expected: true, lostPixels: false })
    })
    return yield* lock.withPermits(1)(work)
  })
}

/** A stage sees that its vectors differ in length within a chunk only. */
const unequal = (ids: ReadonlyArray<string>) => (cause: unknown) => {
  if (!(cause instanceof UnequalRows)) throw cause
  const [a, b] = cause.rows.map((row, i) => `sample ${ids[row]} has ${cause.widths[i]} values`)
  return new WorkFailed({ message: `vectors differ in length: ${a}, ${b}; do all samples have the same bands? name them in "bands"`, expected: true, lostPixels: false })
}

/** The rows in chunks, windows of one scene next to each other. */
const chunksOf = (rows: ReadonlyArray<number>, samples: Table, jobs: number): Array<Int32Array> => {
  const assets = samples.columns.get("assets")?.column as ColumnTypes["assets"] | undefined
  const scene = (row: number) => assets?.[row]![0]?.digest ?? ""
  const sorted = [...rows].toSorted((a, b) => scene(a) < scene(b) ? -1 : scene(a) > scene(b) ? 1 : a - b)
  const size = Math.max(1, Math.min(chunkRows, Math.ceil(rows.length / (2 * jobs))))
  const chunks: Array<Int32Array> = []
  let begin = 0
  for (let i = 1; i <= sorted.length; i++) {
    const length = i - begin
    if (i < sorted.length && (length < size || (length < sceneRows && scene(sorted[i]!) === scene(sorted[i - 1]!)))) continue
    chunks.push(Int32Array.from(sorted.slice(begin, i)))
    begin = i
  }
  return chunks
}
