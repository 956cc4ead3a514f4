/** One sample through the tables of a graph: its files, its role in every split, its embedding rows, what was mined of it, and what was predicted. */
import * as fs from "node:fs"
import type { Cache } from "../cache/cache.ts"
import { Corrupt } from "../cache/error.ts"
import { Places } from "../cache/segments.ts"
import type { Graph } from "../engine/graph.ts"
import { decode } from "../schemas/arrow.ts"
import { type Asset, type Column, type ColumnTypes, isVectors, vectorAt } from "../schemas/column.ts"
import type { Table } from "../schemas/table.ts"
import type { Results } from "./metric.ts"

/** Where a row stands: the node, and which of its outputs. */
interface Row {
  readonly address: string
  readonly output: string
}
export interface Story {
  readonly images: ReadonlyArray<Row & { readonly assets: ReadonlyArray<Asset>; readonly columns: Readonly<Record<string, unknown>> }>
  readonly roles: ReadonlyArray<Row & { readonly role: string }>
  readonly embeddings: ReadonlyArray<Row & { readonly view: string; readonly segment: string; readonly position: number; readonly lost: boolean; /** UTC, when the vector was kept. */ readonly made: string | null; /** Where the times of a copied cache do not tell: when it was there. */ readonly notAfter: string | null }>
  readonly annotations: ReadonlyArray<Row & { readonly values: Readonly<Record<string, unknown>> }>
  readonly pairs: ReadonlyArray<Row & { readonly anchor: number; readonly positive: number }>
  readonly predictions: ReadonlyArray<Row & { readonly split: string; readonly task: string; readonly truth: unknown; readonly predicted: unknown; readonly score: number | null }>
  /** Tables that could not be looked into. */
  readonly lost: ReadonlyArray<Row>
}

const idsOf = (table: Table): ColumnTypes["text"] => table.columns.get("sample_id")!.column as ColumnTypes["text"]
/** The rows of a sample. */
const rowsOf = (ids: ReadonlyArray<string>, sample: string): ReadonlyArray<number> => {
  const rows: Array<number> = []
  for (let row = ids.indexOf(sample); row >= 0; row = ids.indexOf(sample, row + 1)) rows.push(row)
  return rows
}
const plain = (numbers: ArrayLike<number>) => Array.from(numbers, (value) => Number.isFinite(value) ? value : null)

/** A value as JSON holds it; null where there is none. */
const cell = (column: Column, row: number): unknown => {
  if (isVectors(column)) {
    const vector = vectorAt(column, row)
    return vector.every(Number.isNaN) ? null : plain(vector)
  }
  const value: unknown = (column as ArrayLike<unknown>)[row]
  return typeof value === "number" ? Number.isFinite(value) ? value : null : ArrayBuffer.isView(value) ? plain(value as Float64Array) : value ?? null
}

const classesOf = (table: Table, name: string): ReadonlyArray<string> => {
  const text = table.metadata[name]
  return text === undefined ? [] : JSON.parse(text) as ReadonlyArray<string>
}
/** A class id by its name, several labels by theirs; other targets as they are. */
const named = (values: ArrayLike<number>, classes: ReadonlyArray<string>): unknown =>
  classes.length === 0 ? plain(values)
  : values.length === 1 ? classes[values[0]!] ?? values[0]!
  : values.length === classes.length ? classes.filter((_, i) => values[i] === 1)
  : plain(values)

/** Writing may end a little after the work of which the result tells. */
const patience = 60_000

/** When a segment was written, by its file and by the end of the work that took rows of it. */
const madeAt = (written: Date | undefined, ended: number | undefined): { readonly lost: boolean; readonly made: string | null; readonly notAfter: string | null } => {
  if (written === undefined) return { lost: true, made: null, notAfter: null }
  const copied = ended !== undefined && written.getTime() > ended + patience
  return { lost: false, made: copied ? null : written.toISOString(), notAfter: copied ? new Date(ended).toISOString() : null }
}

/** What is on record of a sample at the given nodes. Undefined where no table of samples has it; a list of ids then comes with it. */
export const storyOf = (sample: string, { graph, nodes, results, cache }: { readonly graph: Graph; readonly nodes: ReadonlyArray<number>; readonly results: Results; readonly cache: Cache }): Story | { readonly ids: ReadonlyArray<string> } => {
  const known = new Set<string>()
  const images: Array<Story["images"][number]> = [], roles: Array<Story["roles"][number]> = [], embeddings: Array<Story["embeddings"][number]> = []
  const annotations: Array<Story["annotations"][number]> = [], pairs: Array<Story["pairs"][number]> = [], predictions: Array<Story["predictions"][number]> = [], lost: Array<Row> = []
  const places = (blob: string): Table["columns"] | undefined => {
    try {
      const bytes = cache.store.blob(blob)
      return bytes === undefined ? undefined : decode(Places, bytes, true).columns
    } catch (cause) {
      if (cause instanceof Corrupt) return undefined
      throw cause
    }
  }
  for (const node of nodes) {
    const { address } = graph.nodes[node]!
    for (const [output, found] of Object.entries(results.outputs(node))) {
      const at: Row = { address, output }
      if (found.table === "embeddings") {
        // vectors that a training moved are as many tables as trainings; those of an encoder are rows of segments
        if (found.kept !== "rows") continue
        const columns = places(found.blob)
        if (columns === undefined) {
          lost.push(at)
          continue
        }
        const action = cache.index.action(graph.nodes[node]!.key!), ended = action === undefined ? undefined : Date.parse(action.started) + action.seconds * 1000
        const text = (name: string) => columns.get(name)!.column as ColumnTypes["text"], position = columns.get("position")!.column as Int32Array
        for (const row of rowsOf(text("sample_id"), sample)) {
          const segment = text("segment")[row]!, written = fs.statSync(cache.store.blobPath(segment), { throwIfNoEntry: false })?.mtime
          embeddings.push({ ...at, view: text("view")[row]!, segment, position: position[row]!, ...madeAt(written, ended) })
        }
        continue
      }
      if (!["samples", "split", "annotations", "pairs", "predictions"].includes(found.table)) continue
      const table = results.table(node, found)
      if (table === undefined) {
        lost.push(at)
        continue
      }
      const column = <K extends keyof ColumnTypes>(name: string, _: K) => table.columns.get(name)!.column as ColumnTypes[K]
      if (found.table === "pairs") {
        const anchor = rowsOf(column("anchor", "text"), sample).length, positive = rowsOf(column("positive", "text"), sample).length
        pairs.push({ ...at, anchor, positive })
        continue
      }
      const ids = idsOf(table)
      if (found.table === "samples") for (const id of ids) known.add(id)
      for (const row of rowsOf(ids, sample)) {
        if (found.table === "split") roles.push({ ...at, role: column("split", "text")[row]! })
        else if (found.table === "samples") {
          const columns = Object.fromEntries(Array.from(table.columns, ([name, { column, kind }]) => {
            const value = cell(column, row)
            return [name, kind === "time" && typeof value === "number" ? new Date(value).toISOString() : value]
          }).filter(([name, value]) => !["sample_id", "assets"].includes(String(name)) && value !== null && !(Array.isArray(value) && value.length === 0)))
          images.push({ ...at, assets: column("assets", "assets")[row]!, columns })
        } else if (found.table === "annotations") {
          const values = Object.fromEntries(Array.from(table.columns).filter(([name]) => name !== "sample_id").map(([name, { column }]) => {
            const value = cell(column, row), classes = classesOf(table, name)
            return [name, typeof value === "number" && classes.length > 0 ? classes[value] ?? value : value]
          }))
          annotations.push({ ...at, values })
        } else {
          const task = column("task", "text")[row]!, classes = classesOf(table, task), predicted = column("predicted", "numbers")[row]!
          predictions.push({
            ...at,
            split: column("split", "text")[row]!,
            task,
            truth: named(column("truth", "numbers")[row]!, classes),
            predicted: named(predicted, classes),
            score: predicted.length === 1 ? column("scores", "floats")[row]![predicted[0]!] ?? null : null
          })
        }
      }
    }
  }
  return known.has(sample) || lost.some(({ output }) => output === "samples") && embeddings.length + roles.length > 0
    ? { images, roles, embeddings, annotations, pairs, predictions, lost }
    : { ids: [...known] }
}
