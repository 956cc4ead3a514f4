import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Samples, Stage } from "outcrop"
import { suggest } from "../../schemas/spelling.ts"

const With = Schema.Struct({
  file: Stage.FileParameter,
  by: Stage.withDefault(
    Schema.Literals(["id", "order"]).annotate({ description: "id: rows are found by the sample's id; order: row i is the i-th sample in the order of their ids" }),
    "id"
  ),
  ids: Schema.optionalKey(Stage.FileParameter.annotate({ description: "for .npy: a text file with the sample id of each row, one a line" })),
  idColumn: Stage.withDefault(Schema.NonEmptyString.annotate({ description: "for Parquet and Arrow: the column of sample ids" }), "sample_id"),
  column: Stage.withDefault(Schema.NonEmptyString.annotate({ description: "for Parquet and Arrow: the column of vectors" }), "embedding")
})
type With = typeof With.Type

/** Vectors of a file, row after row, in memory of our own; with the ids beside them where it has some. */
interface Found {
  readonly rows: number
  readonly width: number
  readonly values: Float32Array
  readonly ids: ReadonlyArray<string> | undefined
}

/**
 * The values of all parts one after another. Parts that lie in one buffer, in order, are moved together within it: the vectors of a large
 * file are then in memory once. What becomes float32 or moves never gets past where it came from.
 */
const together = (parts: ReadonlyArray<Float32Array | Float64Array>): Float32Array => {
  const [first] = parts
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const inOrder = parts.every((part, i) => i === 0 || (part.buffer === parts[i - 1]!.buffer && part.byteOffset >= parts[i - 1]!.byteOffset + parts[i - 1]!.byteLength))
  const values = first !== undefined && inOrder ? new Float32Array(first.buffer, first.byteOffset, length) : new Float32Array(length)
  let at = 0
  for (const part of parts) {
    if (part instanceof Float32Array) values.set(part, at)
    else for (let i = 0; i < part.length; i++) values[at + i] = part[i]!
    at += part.length
  }
  return values
}

/** Puts row `rows[i]` at i for all i, in place; every row is asked for at most once. Returns the rows asked for. */
const arranged = (values: Float32Array, width: number, rows: Int32Array): Float32Array => {
  const asked = new Uint8Array(width === 0 ? 0 : values.length / width), done = new Uint8Array(rows.length), aside = new Float32Array(width)
  for (const row of rows) asked[row] = 1
  const follow = (first: number) => {
    for (let to = first; to < rows.length && done[to] === 0;) {
      const from = rows[to]!
      done[to] = 1
      if (from === first) values.set(aside, to * width)
      else values.copyWithin(to * width, from * width, (from + 1) * width)
      to = from
    }
  }
  // chains begin at a place that nobody asks for; what is left are circles, of which one row is put aside
  for (let row = 0; row < rows.length; row++) if (asked[row] === 0) follow(row)
  for (let row = 0; row < rows.length; row++) {
    if (done[row] === 1) continue
    aside.set(values.subarray(row * width, (row + 1) * width))
    follow(row)
  }
  return values.subarray(0, rows.length * width)
}

/**
 * A NumPy array file (format 1.0 to 3.0; https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): float32 or float64,
 * little-endian, rows first, two-dimensional. Throws where it is none.
 */
const readNpy = (bytes: Uint8Array): Found => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.byteLength < 12 || bytes[0] !== 0x93 || new TextDecoder().decode(bytes.subarray(1, 6)) !== "NUMPY") throw new Error("it does not begin as a .npy file does")
  const start = view.getUint8(6) === 1 ? 10 : 12
  const end = start + (start === 10 ? view.getUint16(8, true) : view.getUint32(8, true))
  const header = new TextDecoder().decode(bytes.subarray(start, end))
  const kind = /'descr':\s*'([^']+)'/.exec(header)?.[1]
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1]?.split(",").filter((size) => size.trim() !== "").map(Number)
  if (kind !== "<f4" && kind !== "<f8") throw new Error(`its type is ${kind ?? "not said"} where <f4 or <f8 is expected; save it with .astype("float32")`)
  if (!/'fortran_order':\s*False/.test(header)) throw new Error("its columns come first; save it with numpy.ascontiguousarray")
  if (shape?.length !== 2) throw new Error(`its shape is (${shape?.join(", ") ?? "?"}) where (rows, width) is expected`)
  const rows = shape[0]!, width = shape[1]!
  const each = kind === "<f4" ? 4 : 8, size = rows * width * each
  if (bytes.byteLength - end < size) throw new Error(`it ends after ${bytes.byteLength - end} of ${size} bytes of values`)
  // NumPy aligns the values; other writers may not
  const { buffer, byteOffset } = (bytes.byteOffset + end) % each === 0 ? bytes.subarray(end) : bytes.slice(end, end + size)
  const values = each === 4 ? new Float32Array(buffer, byteOffset, rows * width) : new Float64Array(buffer, byteOffset, rows * width)
  return { rows, width, values: together([values]), ids: undefined }
}

/** The ids of a table that are read one by one. Throws where a cell is none. */
const idsOf = (rows: number, id: (row: number) => unknown, { idColumn }: With): Array<string> =>
  Array.from({ length: rows }, (_, row) => {
    const value = id(row)
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint") throw new Error(`row ${row} of its column ${idColumn} is no id`)
    return String(value)
  })

const lacks = (column: string, columns: ReadonlyArray<string>) => new Error(`it has no column ${column}${suggest(column, columns)}; it has ${columns.join(", ")}`)
const otherWidth = (row: number, own: number, width: number) => new Error(`row ${row} has ${own} values where row 0 has ${width}`)

/** Rows of a Parquet file that are decoded at a time: their values stand as objects until they are copied. */
const parquetRows = 1 << 14

const readParquet = async (bytes: Uint8Array, p: With): Promise<Found> => {
  const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import("hyparquet")
  const slice = (from: number, to = bytes.byteLength): ArrayBuffer => {
    const part = new ArrayBuffer(to - from)
    new Uint8Array(part).set(bytes.subarray(from, to))
    return part
  }
  const file = { byteLength: bytes.byteLength, slice }
  const metadata = await parquetMetadataAsync(file)
  const columns = parquetSchema(metadata).children.map(({ element }) => element.name)
  const asked = p.by === "id" ? [p.idColumn, p.column] : [p.column]
  for (const column of asked) if (!columns.includes(column)) throw lacks(column, columns)
  const rows = Number(metadata.num_rows), ids: Array<string> = []
  let width = 0, values = new Float32Array(0)
  for (let from = 0; from < rows; from += parquetRows) {
    const part = await parquetReadObjects({ file, metadata, columns: asked, rowStart: from, rowEnd: Math.min(rows, from + parquetRows) })
    for (const [i, row] of part.entries()) {
      const vector: unknown = row[p.column]
      if (!isNumbers(vector)) throw new Error(`row ${from + i} of its column ${p.column} is no list of floats`)
      if (from + i === 0) {
        width = vector.length
        values = new Float32Array(rows * width)
      }
      if (vector.length !== width) throw otherWidth(from + i, vector.length, width)
      values.set(vector, (from + i) * width)
    }
    if (p.by === "id") ids.push(...idsOf(part.length, (row) => part[row]![p.idColumn], p))
  }
  return { rows, width, values, ids: p.by === "id" ? ids : undefined }
}
const isNumbers = (value: unknown): value is ArrayLike<number> =>
  value instanceof Float32Array || value instanceof Float64Array || (Array.isArray(value) && value.every((entry) => typeof entry === "number"))

const readArrow = async (bytes: Uint8Array, p: With): Promise<Found> => {
  const { DataType, tableFromIPC } = await import("apache-arrow")
  const table = tableFromIPC(bytes), rows = table.numRows
  const columnOf = (name: string) => {
    const found = table.getChild(name)
    if (found === null) throw lacks(name, table.schema.fields.map((field) => field.name))
    return found
  }
  const column = columnOf(p.column), type: unknown = column.type
  // ids stand between the batches of vectors, which are moved together
  const ids = p.by === "id" ? columnOf(p.idColumn) : undefined, read = ids === undefined ? undefined : idsOf(rows, (row) => ids.get(row), p)
  let width: number | undefined, row = 0
  const parts = column.data.filter(({ length }) => length > 0).map((chunk) => {
    const child = chunk.children[0], values: unknown = child?.values
    if (!(DataType.isList(type) || DataType.isFixedSizeList(type)) || !(values instanceof Float32Array || values instanceof Float64Array)) throw new Error(`its column ${p.column} is ${String(type)} where lists of float or double are expected`)
    if (chunk.nullCount > 0 || child!.nullCount > 0) throw new Error(`its column ${p.column} has missing values among the rows ${row} to ${row + chunk.length - 1}`)
    const fixed = DataType.isFixedSizeList(type) ? type.listSize : undefined, offsets = chunk.valueOffsets as Int32Array
    const begin = (i: number) => fixed === undefined ? offsets[i]! : i * fixed
    width ??= begin(1) - begin(0)
    for (let i = 0; i < chunk.length; i++) if (begin(i + 1) - begin(i) !== width) throw otherWidth(row + i, begin(i + 1) - begin(i), width)
    row += chunk.length
    return values.subarray(begin(0), begin(chunk.length))
  })
  return { rows, width: width ?? 0, values: together(parts), ids: read }
}

const unreadable = (file: string) => (cause: unknown) =>
  new Stage.StageError({ message: `${file} cannot be read as vectors: ${cause instanceof Error ? cause.message : String(cause)}` })

const read = Effect.fn("embed/precomputed.read")(function*(p: With) {
  const files = yield* Stage.Files
  const bytes = yield* files.read(p.file)
  const found = yield* Effect.tryPromise({
    try: async () => {
      if (p.file.endsWith(".npy")) return readNpy(bytes)
      if (p.file.endsWith(".parquet")) return await readParquet(bytes, p)
      if (/\.(arrow|arrows|feather|ipc)$/.test(p.file)) return await readArrow(bytes, p)
      throw new Error("its name ends neither in .npy nor in .parquet, .arrow, .arrows, .feather or .ipc")
    },
    catch: unreadable(p.file)
  })
  if (p.by === "order" || p.ids === undefined) return found
  const ids = new TextDecoder().decode(yield* files.read(p.ids)).split(/\r?\n/)
  if (ids.at(-1) === "") ids.pop()
  if (ids.length !== found.rows) return yield* new Stage.StageError({ message: `${p.ids} has ${ids.length} ids where ${p.file} has ${found.rows} rows` })
  return { ...found, ids }
})

/** The row of the file for each sample. */
const rowsFor = Effect.fn("embed/precomputed.rows")(function*(samples: ReadonlyArray<string>, { ids, rows }: Found, { by, file }: With) {
  const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))
  if (by === "order") {
    if (rows !== samples.length) return yield* fail(`${file} has ${rows} rows where there are ${samples.length} samples: by order they must be as many`)
    yield* Stage.notice(`${file} was joined by order: its row i is the i-th of ${rows} samples in the order of their ids`)
    return Int32Array.from(samples.keys())
  }
  if (ids === undefined) return yield* fail(`${file} holds no ids: name a text file of them in "ids", or say "by: order"`)
  const rowOf = new Map<string, number>()
  for (const [row, id] of ids.entries()) {
    if (rowOf.has(id)) return yield* fail(`${file} has the id "${id}" in rows ${rowOf.get(id)} and ${row}`)
    rowOf.set(id, row)
  }
  const missing = samples.filter((id) => !rowOf.has(id))
  if (missing.length > 0) {
    return yield* fail(`${file} has no vector for ${missing.length} of ${samples.length} samples: ${missing.slice(0, 5).join(", ")}${missing.length > 5 ? ", ..." : ""}`)
  }
  if (rows > samples.length) yield* Stage.notice(`${rows - samples.length} of ${rows} vectors in ${file} belong to no sample and were left out`)
  return Int32Array.from(samples, (id) => rowOf.get(id)!)
})

/**
 * Embeddings that another program made: `.npy` (float32 or float64), Parquet, or Arrow IPC (stream or file, Feather 2). Rows are joined
 * to the samples by id; by order only where asked, for a file in another order would go unnoticed. Values become float32. The file is
 * held in memory once: of .npy and uncompressed Arrow the values stay where they were read, in Parquet they are decoded beside it.
 */
export default Stage.make({
  name: "embed/precomputed",
  version: 1,
  summary: "embeddings that another program made: .npy, Parquet or Arrow, joined by id",
  with: With,
  needs: { samples: Stage.needs(Samples, "sample_id") },
  gives: { embeddings: Embeddings },
  run: Effect.fn("embed/precomputed")(function*({ samples }, p) {
    const found = yield* read(p)
    const rows = yield* rowsFor(samples.sample_id, found, p)
    const embedding = { width: found.width, values: arranged(found.values, found.width, rows) }
    return { embeddings: { sample_id: samples.sample_id, view: Array.from(rows, () => "full"), embedding } }
  })
})
