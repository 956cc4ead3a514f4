/** Embeddings that cannot tell samples apart, and encoders that say less than the colours do. */
import { assignment } from "../../engine/axes.ts"
import type { Node } from "../../engine/expand.ts"
import { better } from "../../report/better.ts"
import { type ColumnTypes, isVectors, type Vectors, vectorAt } from "../../schemas/column.ts"
import type { Table } from "../../schemas/table.ts"
import { contentsOf } from "./duplicates.ts"
import { type Evidence, gives, type Partition } from "./evidence.ts"
import type { Found, Outcome } from "./finding.ts"

/** Vectors whose distance from their mean is this small a share of its length are one vector and rounding. */
const rounding = 1e-5

/** Root mean square distance of vectors from their mean, as a share of their root mean square length. */
export const spreadOf = ({ values, width }: Vectors): number => {
  const rows = values.length / width, mean = new Float64Array(width)
  for (let i = 0; i < values.length; i++) mean[i % width]! += values[i]! / rows
  let apart = 0, length = 0
  for (let i = 0; i < values.length; i++) {
    apart += (values[i]! - mean[i % width]!) ** 2
    length += values[i]! ** 2
  }
  return length === 0 ? 0 : Math.sqrt(apart / length)
}

/** Rows of vectors that are equal to the bit, by their first; only those that have company. FNV-1a over the words, then the words themselves. */
const equalRows = (vectors: Vectors, wanted: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> => {
  const words = new Uint32Array(vectors.values.buffer, vectors.values.byteOffset, vectors.values.length), { width } = vectors
  const hashes = Map.groupBy(wanted, (row) => {
    let hash = 0x811c9dc5
    for (let i = row * width; i < (row + 1) * width; i++) hash = Math.imul(hash ^ words[i]!, 0x01000193) ^ hash >>> 15
    return hash
  })
  return [...hashes.values()].flatMap((alike) =>
    alike.length === 1 ? [] : [...Map.groupBy(alike, (row) => vectorAt(vectors, row).join()).values()].filter((same) => same.length > 1))
}

/** Embeddings behind the metrics are finite, are not all one vector, and samples of different pixels have different ones. */
export const embeddingsTell = ({ cellsOf, finished: { grid }, lineage, measured, outputOf, partitionOf, table }: Evidence): Outcome => {
  const seen = new Map<string, ReadonlyArray<Omit<Found, "cells">>>(), found: Array<Found> = []
  const known = new Map<Partition["samples"]["assets"], ReadonlyMap<string, string>>()
  const contents = (samples: Partition["samples"]) => {
    const read = known.get(samples.assets) ?? new Map(contentsOf(samples).map((content, row) => [samples.sample_id[row]!, content]))
    known.set(samples.assets, read)
    return read
  }
  const users = new Map<Node, Node>()
  for (const metric of measured) for (const node of lineage(metric)) if (!users.has(node)) users.set(node, metric)
  for (const [node, metric] of users) {
    const output = gives(node, "embeddings"), partition = partitionOf(metric)
    const kept = output === undefined ? undefined : outputOf({ node: node.index, output })
    if (output === undefined || kept === undefined) continue
    const id = `${kept.columns["sample_id"]!.digest} ${kept.columns["embedding"]!.digest}`
    // what merely passes embeddings on is not told of again
    if (!seen.has(id)) {
      const read = table({ node: node.index, output })
      if (read === undefined) continue
      seen.set(id, troubles(node, read, partition === undefined ? undefined : contents(partition.samples)))
    }
    for (const trouble of seen.get(id)!) found.push({ ...trouble, cells: cellsOf(node) })
  }
  return seen.size === 0 ? { inapplicable: `none of the ${grid.nodes.length} nodes gives embeddings that are measured` } : { looked: `${seen.size} embeddings`, found }
}

const troubles = ({ implementation: { uses }, stage }: Node, read: Table, contents: ReadonlyMap<string, string> | undefined): ReadonlyArray<Omit<Found, "cells">> => {
  const vectors = read.columns.get("embedding")!.column, ids = read.columns.get("sample_id")!.column as ColumnTypes["text"], views = read.columns.get("view")!.column as ColumnTypes["text"]
  if (!isVectors(vectors) || vectors.width === 0 || read.rows < 2) return []
  const name = `"${stage}" (${uses})`
  const wrong = ids.flatMap((id, row) => vectorAt(vectors, row).every(Number.isFinite) ? [] : [id])
  if (wrong.length > 0) return [{ level: "failed", kind: `${stage} finite`, what: `${wrong.length} embeddings of ${name} are not finite`, count: wrong.length, examples: wrong }]
  if (spreadOf(vectors) < rounding) {
    return [{ level: "failed", kind: `${stage} constant`, what: `all ${read.rows} embeddings of ${name} are one vector, up to rounding: nothing can be read from them`, count: read.rows, examples: ids.slice(0, 2) }]
  }
  const twins = [...Map.groupBy(ids.keys(), (row) => views[row]!).values()].flatMap((rows) => equalRows(vectors, rows))
    .filter((rows) => contents === undefined || new Set(rows.map((row) => contents.get(ids[row]!) ?? ids[row]!)).size > 1)
  if (twins.length === 0) return []
  const count = twins.reduce((sum, { length }) => sum + length, 0)
  return [{
    level: "warning",
    kind: `${stage} twins`,
    what: `${count} of ${read.rows} embeddings of ${name} are equal to another sample's, though the pictures differ: it cannot tell them apart`,
    count,
    examples: twins.map((rows) => rows.slice(0, 3).map((row) => ids[row]).join(" = "))
  }]
}

const baseline = "embed/statistics"

/**
 * No encoder says less than band statistics do: means over what is paired, which is all metrics that differ in nothing but the encoder (same
 * samples, split, seed and everything after it).
 */
export const encodersEarn = ({ cellsOf, finished: { grid }, lineage, measured, report, table }: Evidence): Outcome => {
  const encoders = new Map<Node, Node>(), signatures = new Map<Node, string>()
  const isEncoder = ({ implementation: { stage } }: Node) => stage.kind === "embed"
  /** What a node is made of, with its encoder left out. */
  const signature = (node: Node): string => {
    const known = signatures.get(node)
    if (known !== undefined) return known
    const ports = node.bindings.filter(({ port }) => !isEncoder(node) || port === "samples").map(({ node: up, output, port }) => `${port}=${output}:${signature(grid.nodes[up]!)}`)
    const own = `${isEncoder(node) ? "" : `${node.implementation.uses} ${JSON.stringify(node.parameters)}`}(${ports.join(",")})`
    const short = `#${numbers.get(own) ?? numbers.set(own, numbers.size).get(own)}`
    signatures.set(node, short)
    return short
  }
  const numbers = new Map<string, number>()
  for (const node of measured) {
    const [encoder, ...others] = lineage(node).filter(isEncoder)
    if (encoder !== undefined && others.length === 0) encoders.set(node, encoder)
  }
  const kinds = new Set(Array.from(encoders.values(), ({ implementation: { uses } }) => uses))
  if (!kinds.has(baseline)) return { inapplicable: `no cell has the encoder ${baseline}` }
  if (kinds.size < 2) return { inapplicable: `no encoder stands beside ${baseline}` }

  const valuesOf = (node: Node): ReadonlyMap<string, number> => {
    const metrics = table({ node: node.index, output: gives(node, "metrics")! })
    if (metrics === undefined) return new Map()
    const text = (name: string) => metrics.columns.get(name)!.column as ColumnTypes["text"], value = metrics.columns.get("value")!.column as Float64Array
    const all = text("task").flatMap((task, row): ReadonlyArray<readonly [string, number]> => text("split")[row] === report.split && text("class")[row] === "" ? [[`${task}.${text("metric")[row]}`, value[row]!]] : [])
    const asked = report.metrics ?? [...Map.groupBy(all, ([name]) => name.split(".")[0]).values()].map((own) => own[0]![0])
    return new Map(all.filter(([name, figure]) => asked.includes(name) && !Number.isNaN(figure)))
  }
  const plain = new Map([...encoders].flatMap(([node, { implementation: { uses } }]) => uses === baseline ? [[signature(node), valuesOf(node)] as const] : []))
  const replicate = new Set(grid.cells.columns.flatMap(({ name, replicate: over }) => over ? [name] : []))
  const pairs = [...encoders].flatMap(([node, { implementation: { uses }, parameters }]) => {
    const beside = uses === baseline ? undefined : plain.get(signature(node))
    if (beside === undefined) return []
    const cells = cellsOf(node), axes = Object.entries(assignment(grid.cells, cells[0]!)).flatMap(([name, value]) => replicate.has(name) ? [] : [`${name}=${value}`]).join(" ")
    return [...valuesOf(node)].flatMap(([metric, value]) => beside.has(metric) ? [{ metric, value, beside: beside.get(metric)!, uses, encoder: `${uses} ${JSON.stringify(parameters)}`, axes, cells }] : [])
  })
  if (pairs.length === 0) return { inapplicable: `no figure of ${baseline} has one of another encoder that differs in nothing else` }
  const mean = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length
  const compared = [...Map.groupBy(pairs, ({ axes, encoder, metric }) => `${encoder} ${metric} ${axes}`).values()].map((own) => {
    const value = mean(own.map((pair) => pair.value)), beside = mean(own.map((pair) => pair.beside)), { axes, encoder, metric, uses } = own[0]!
    return { axes, encoder, metric, uses, loses: better(metric, beside, value), says: `${metric}: ${value.toFixed(3)} against ${beside.toFixed(3)}${own.length > 1 ? `, means of ${own.length}` : ""}`, cells: own.flatMap(({ cells }) => cells) }
  })
  // an encoder is told of once, however many methods and metrics are built on it
  const found = [...Map.groupBy(compared, ({ encoder }) => encoder)].flatMap(([kind, all]): ReadonlyArray<Found> => {
    const own = all.filter(({ loses }) => loses), [first] = own
    if (first === undefined) return []
    return [{
      level: "warning",
      kind,
      what: `${first.uses} loses to ${baseline} in ${all.length === 1 ? first.says : `${own.length} of ${all.length} figures that differ in nothing else`}; the colours alone say more`,
      count: own.length,
      examples: own.map(({ axes, says }) => all.length === 1 ? axes : `${says}${axes === "" ? "" : ` (${axes})`}`).filter((text) => text !== ""),
      cells: own.flatMap(({ cells }) => cells)
    }]
  })
  return { looked: `${pairs.length} figures beside those of ${baseline}`, found }
}
