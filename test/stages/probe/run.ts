/** Runs a stage on tables as the engine does: ports joined, rows for `fit` chosen by the split, only the declared columns handed over. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Embeddings, Samples, Split, Stage } from "outcrop"
import { fittingRows, inputsOf, join } from "../../../engine/rows.ts"
import { make, type Table, view } from "../../../schemas/table.ts"

const noFile = (path: string) => Effect.fail(new Stage.FileError({ path, message: "this stage reads no files" }))

/** What a stage gave and learned, as tables, and its notices. Rejects with the message of a StageError. */
export const runStage = async (stage: Stage.Stage, tables: Readonly<Record<string, Table>>, parameters: unknown = {}) => {
  const notices: Array<string> = []
  const services = Layer.mergeAll(
    Layer.succeed(Stage.Files, { read: noFile, open: noFile, digest: noFile, list: noFile, exists: () => Effect.succeed(false), keep: () => Effect.die("this stage keeps no files") }),
    Layer.succeed(Stage.Report, { notice: (text) => Effect.sync(() => void notices.push(text)), progress: () => Effect.void, timed: () => () => {} }),
    Layer.succeed(Stage.Backend, { name: "none" })
  )
  const decoded = Schema.decodeUnknownSync(stage.with)(parameters, { onExcessProperty: "error" })
  const { tables: joined } = join(tables)
  const read = (from: Readonly<Record<string, Table>>) =>
    inputsOf(from, Object.fromEntries(Object.entries(from).map(([port, table]) => {
      const { columns, open } = stage.needs[port]!
      return [port, open === "all" ? [...table.columns.keys()] : [...columns, ...open(decoded as never)]]
    })))
  const kept = (schemas: Stage.Gives, outputs: Stage.ErasedOutputs) =>
    Object.fromEntries(Object.entries(outputs).map(([port, output]) => [port, make(schemas[port]!, output)]))
  const whole = (table: Table) => view(table, [...table.columns.keys()])
  return await Effect.runPromise(Effect.provide(
    Effect.gen(function*() {
      const released = typeof parameters === "object" && parameters !== null && "protocol" in parameters && parameters.protocol === "released"
      const learned = stage.fit === undefined ? {} : kept(stage.learns, yield* stage.fit(read(released ? joined : fittingRows(joined, stage.validates)), decoded))
      const given = stage.run !== undefined ?
        yield* stage.run(read(joined), decoded) :
        yield* stage.apply!(Object.fromEntries(Object.entries(learned).map(([port, table]) => [port, whole(table)])), read(joined), decoded)
      const outputs = { ...learned, ...kept(stage.gives, given) }
      return { notices, tables: outputs, columns: (port: string) => whole(outputs[port]!) }
    }),
    services
  ))
}

export interface Row {
  readonly id: string
  readonly split: "train" | "val" | "test" | "unused"
  readonly label?: string | null
  readonly labels?: ReadonlyArray<string>
  /** [lat, lon] */
  readonly place?: readonly [number, number]
  /** [xmin, ymin, xmax, ymax] */
  readonly box?: ReadonlyArray<number>
  /** [x, y, width, height] */
  readonly window?: ReadonlyArray<number>
  readonly embedding?: ReadonlyArray<number>
}

const missing = [Number.NaN, Number.NaN, Number.NaN, Number.NaN]

/** Samples, split and embeddings of rows. */
export const tablesOf = (rows: ReadonlyArray<Row>) => ({
  samples: make(Samples, {
    sample_id: rows.map(({ id }) => id),
    assets: rows.map(() => []),
    label: rows.map(({ label }) => label ?? null),
    labels: rows.map(({ labels }) => labels ?? []),
    lat: Float64Array.from(rows, ({ place }) => place?.[0] ?? Number.NaN),
    lon: Float64Array.from(rows, ({ place }) => place?.[1] ?? Number.NaN),
    box: { width: 4, values: Float32Array.from(rows.flatMap(({ box }) => box ?? missing)) },
    window: { width: 4, values: Float32Array.from(rows.flatMap(({ window }) => window ?? missing)) }
  }),
  split: make(Split, { sample_id: rows.map(({ id }) => id), split: rows.map(({ split }) => split) }),
  embeddings: make(Embeddings, {
    sample_id: rows.map(({ id }) => id),
    view: rows.map(() => "full"),
    embedding: { width: rows[0]!.embedding?.length ?? 1, values: Float32Array.from(rows.flatMap(({ embedding }) => embedding ?? [0])) }
  })
})
