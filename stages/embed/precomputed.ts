import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Embeddings, Samples, Stage } from "outcrop"

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

/** Vectors as they lie in a file, with the ids beside them where it has some. */
interface Found {
  readonly rows: number
  readonly vector: (row: number) => ArrayLike<number>
  readonly ids: ReadonlyArray<string> | undefined
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
  const size = kind === "<f4" ? 4 : 8
  if (bytes.byteLength - end < rows * width * size) throw new Error(`it ends after ${bytes.byteLength - end} of ${rows * width * size} bytes of values`)
  const body = bytes.slice(end, end + rows * width * size).buffer
  const values = kind === "<f4" ? new Float32Array(body) : new Float64Array(body)
  return { rows, vector: (row) => values.subarray(row * width, (row + 1) * width), ids: undefined }
}

const isNumbers = (value: unknown): value is ArrayLike<number> =>
  value instanceof Float32Array || value instanceof Float64Array || (Array.isArray(value) && value.every((entry) => typeof entry === "number"))

/** Found rows of a table whose cells are read one by one. Throws where a cell is no vector of numbers or no id. */
const cells = (rows: number, vector: (row: number) => unknown, id: ((row: number) => unknown) | undefined, { column, idColumn }: With): Found => ({
  rows,
  vector: (row) => {
    const value = vector(row)
    if (!isNumbers(value)) throw new Error(`row ${row} of its column ${column} is no list of floats`)
    return value
  },
  ids: id === undefined ? undefined : Array.from({ length: rows }, (_, row) => {
    const value = id(row)
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint") throw new Error(`row ${row} of its column ${idColumn} is no id`)
    return String(value)
  })
})

const lacks = (column: string, columns: ReadonlyArray<string>) => new Error(`it has no column ${column}; it has ${columns.join(", ")}`)

const readParquet = async (bytes: Uint8Array, p: With): Promise<Found> => {
  const { parquetMetadata, parquetReadObjects, parquetSchema } = await import("hyparquet")
  const file = new Uint8Array(bytes).buffer
  const columns = parquetSchema(parquetMetadata(file)).children.map(({ element }) => element.name)
  const asked = p.by === "id" ? [p.idColumn, p.column] : [p.column]
  for (const column of asked) if (!columns.includes(column)) throw lacks(column, columns)
  const table = await parquetReadObjects({ file, columns: asked })
  return cells(table.length, (row) => table[row]![p.column], p.by === "id" ? (row) => table[row]![p.idColumn] : undefined, p)
}

const readArrow = async (bytes: Uint8Array, p: With): Promise<Found> => {
  const { tableFromIPC, Vector } = await import("apache-arrow")
  const table = tableFromIPC(bytes)
  const columnOf = (name: string) => {
    const found = table.getChild(name)
    if (found === null) throw lacks(name, table.schema.fields.map((field) => field.name))
    return found
  }
  const vectors = columnOf(p.column), ids = p.by === "id" ? columnOf(p.idColumn) : undefined
  const vector = (row: number): unknown => {
    const value: unknown = vectors.get(row)
    return value instanceof Vector ? value.toArray() : value
  }
  return cells(table.numRows, vector, ids === undefined ? undefined : (row) => ids.get(row), p)
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
    return samples.map((_, row) => row)
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
  return samples.map((id) => rowOf.get(id)!)
})

/**
 * Embeddings that another program made: `.npy` (float32 or float64), Parquet, or Arrow IPC (stream or file, Feather 2). Rows are joined
 * to the samples by id; by order only where asked, for a file in another order would go unnoticed. Values become float32.
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
    const embedding = yield* Effect.try({
      try: () => {
        const width = rows[0] === undefined ? 0 : found.vector(rows[0]).length
        const values = new Float32Array(rows.length * width)
        for (const [i, row] of rows.entries()) {
          const vector = found.vector(row)
          if (vector.length !== width) throw new Error(`row ${row} has ${vector.length} values where row ${rows[0]} has ${width}`)
          values.set(vector, i * width)
        }
        return { width, values }
      },
      catch: unreadable(p.file)
    })
    return { embeddings: { sample_id: samples.sample_id, view: rows.map(() => "full"), embedding } }
  })
})
