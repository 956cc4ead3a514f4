/** A worker thread: loads a closure, runs its stage on the tables it is handed, checks and keeps what comes out. */
import { memoryUsage } from "node:process"
import { parentPort } from "node:worker_threads"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type { Handed, Timing } from "../cache/action.ts"
import { openCache, type Cache } from "../cache/cache.ts"
import { decode } from "../schemas/arrow.ts"
import { lengthOf } from "../schemas/column.ts"
import { suggest } from "../schemas/spelling.ts"
import { InvalidTable, make, type Table, type TableSchema, take, wordsOf } from "../schemas/table.ts"
import { Backend, type ErasedInputs, type ErasedOutputs, type FileError, Files, Report, type Stage, type StageError } from "../stages/stage.ts"
import { tableSchemas } from "../schemas/tables.ts"
import { makeFiles } from "./files.ts"
import { collectGarbage } from "./garbage.ts"
import { keepTables } from "./output.ts"
import { loadStage } from "./loader.ts"
import { ownLines, thrown } from "./positions.ts"
import { type FromWorker, type InputTable, type Job, type Member, type MemberResult, sizeOf } from "./protocol.ts"
import { columnsOf, fittingRows, handedOf, inputsOf, join } from "./rows.ts"

const stages = new Map<string, Promise<Stage>>()
let cache: Cache | undefined
/** Decoded tables, the one used last at the end; many nodes of a grid read the same. */
const tables = new Map<string, { readonly table: Table; readonly bytes: number; readonly shared: boolean }>()
/** Bytes of tables to hold on to between jobs, by their Arrow form, and how many of them. */
const mostBytes = 1 << 27, mostTables = 64
/** Progress is told at most this often: a stage has no clock, and may count faster than anybody reads. */
const progressMilliseconds = 100
/** Garbage of this size is collected after a job: an idle thread would sit on it. */
const garbageBytes = 1 << 27

const tableOf = (input: InputTable): Table => {
  const known = tables.get(input.blob)
  tables.delete(input.blob)
  const schema = tableSchemas[input.table]!
  const held = known ?? {
    table: input.columns !== undefined ?
      { schema, rows: lengthOf(input.columns.get("sample_id")!.column), columns: input.columns, metadata: input.metadata ?? {} } :
      decode(schema, input.bytes!, true),
    bytes: sizeOf(input),
    shared: input.columns !== undefined
  }
  tables.set(input.blob, held)
  return held.table
}
/**
 * Lets go of the tables that were used longest ago, and of large ones in memory that threads share, which cost nothing to take up again. What
 * the last job decoded stays: the next chunk of an embedding reads the same samples. Gives the bytes that went.
 */
const forgetTables = (used: ReadonlySet<string>): number => {
  let bytes = 0, freed = 0
  for (const held of tables.values()) bytes += held.bytes
  for (const [blob, held] of tables) {
    if (bytes <= mostBytes && tables.size <= mostTables) break
    if (used.has(blob) && !held.shared) continue
    tables.delete(blob)
    bytes -= held.bytes
    freed += held.bytes
  }
  return freed
}

/** A violation of a table's schema, in the words of the stage that made it. */
const explain = (stage: Stage, port: string, cause: unknown): unknown =>
  cause instanceof InvalidTable ? new Expected(`${stage.name} gave an invalid table on its port "${port}": ${wordsOf(cause)}`) : cause
class Expected extends Error {
  readonly lostPixels: boolean
  constructor(message: string, lostPixels = false) {
    super(message)
    this.lostPixels = lostPixels
  }
}

const run = async (job: Job): Promise<FromWorker> => {
  let loading = stages.get(job.file)
  if (loading === undefined) {
    loading = loadStage(job.file)
    stages.set(job.file, loading)
  }
  const stage = await loading
  cache ??= openCache(job.cacheRoot)
  const { index, store } = cache
  const notices: Array<string> = [], timings: Array<Timing> = []
  let told = -Infinity
  // a file may be called "__proto__"
  const trace: Record<string, string> = Object.create(null)
  const services = Layer.mergeAll(
    Layer.succeed(Files, makeFiles({
      dataRoot: job.dataRoot,
      store,
      index,
      ingest: job.ingest,
      allowed: job.files,
      trace
    })),
    Layer.succeed(Report, {
      notice: (text) => Effect.sync(() => void notices.push(text)),
      timed: () => {
        const begin = performance.now()
        return (what) => void timings.push({ what, seconds: (performance.now() - begin) / 1000 })
      },
      progress: (done, total) => Effect.sync(() => {
        const now = performance.now()
        if (done < total && now - told < progressMilliseconds) return
        told = now
        post({ type: "progress", done, total })
      })
    }),
    Layer.succeed(Backend, { name: job.backend ?? "" })
  )
  const perform = async <A>(work: Effect.Effect<A, StageError | FileError, Files | Report | Backend>): Promise<A> => {
    if (!Effect.isEffect(work)) throw new Expected(`${stage.name} has to return an Effect: write its functions as Effect.fn("${stage.name}")(function*(...) { ... })`)
    const exit = await Effect.runPromiseExit(Effect.provide(work, services))
    if (Exit.isSuccess(exit)) return exit.value
    const failure = exit.cause.reasons.find(Cause.isFailReason)
    // what was left out before says why there is nothing left to go on with
    if (failure !== undefined) throw new Expected([failure.error.message, ...ownLines(failure.error.cause), ...[...new Set(notices)].map((text) => `said before: ${text}`)].join("\n"), failure.error._tag === "FileError" && failure.error.path.startsWith("cache:"))
    throw Cause.squash(exit.cause)
  }

  const prepared = job.members.map((member) => {
    const read = Object.fromEntries(Object.entries(member.inputs).map(([port, input]) => [port, input.read]))
    const given = Object.fromEntries(Object.entries(member.inputs).map(([port, input]) => [port, columnsOf(tableOf(input), input.read)]))
    // an embed job's rows are those of the samples as they were handed over, whether or not other ports have them
    const joined = job.rows === undefined ? join(given) : { tables: Object.fromEntries(Object.entries(given).map(([port, table]) => [port, table.schema.name === "samples" ? take(table, job.rows!) : table])), dropped: [] }
    notices.push(...joined.dropped)
    const all = () => inputsOf(joined.tables, read)
    const fitting = (): { readonly inputs: ErasedInputs; readonly handed: Handed } => {
      const released = (member.parameters as Readonly<Record<string, unknown>>)["protocol"] === "released"
      const rows = released ? joined.tables : fittingRows(joined.tables, stage.validates)
      for (const [port, table] of Object.entries(rows)) {
        if (table.rows === 0 && joined.tables[port]!.rows > 0) throw new Expected(`no row is left to fit on: the split gives no ${table.schema.name === "pairs" ? "pair" : "sample"} of "${port}" to training`)
      }
      const handed = handedOf(joined.tables, rows)
      if (handed.by === "all" && !released && Object.keys(stage.learns).length > 0) {
        notices.push(`no split is bound to it: it is fitted on all ${Object.values(handed.roles).reduce((sum, n) => sum + n, 0)} samples, test samples included`)
      }
      return { inputs: inputsOf(rows, read), handed }
    }
    return { member, read, tables: joined.tables, all, fitting }
  })

  const check = (declared: Readonly<Record<string, TableSchema>>, given: ErasedOutputs | undefined): Record<string, Table> => {
    const ports = Object.keys(declared), strange = Object.entries(given ?? {}).find(([port, table]) => table !== undefined && !ports.includes(port))?.[0]
    if (strange !== undefined) throw new Expected(`${stage.name} gave "${strange}"${suggest(strange, ports)}, which is none of its ports: ${ports.join(", ")}`)
    return Object.fromEntries(Object.entries(declared).map(([port, schema]) => {
      const table = given?.[port]
      if (typeof table !== "object" || table === null) throw new Expected(`${stage.name} gave nothing on its port "${port}": return { ${ports.map((each) => `${each}: { ... }`).join(", ")} }`)
      try {
        return [port, make(schema, table)]
      } catch (cause) {
        throw explain(stage, port, cause)
      }
    }))
  }

  if (job.task === "embed") {
    const { member, read, tables: samples } = prepared[0]!
    const learned = Object.fromEntries(Object.entries(job.learned).map(([port, input]) => [port, tableOf(input)]))
    const vectors = await perform(stage.embed!(learnedOf(learned), inputsOf(samples, read), member.parameters, job.view!))
    if (!(vectors?.values instanceof Float32Array)) throw new Expected(`${stage.name} gave no vectors: return { width, values: Float32Array }`)
    if (vectors.values.length !== vectors.width * job.rows!.length) throw new Expected(`${stage.name} gave ${vectors.values.length} values for ${job.rows!.length} samples of width ${vectors.width}`)
    const bad = vectors.values.findIndex((value) => !Number.isFinite(value))
    if (bad >= 0) {
      const id = Object.values(samples)[0]!.columns.get("sample_id")!.column as ReadonlyArray<string>
      throw new Expected(`${stage.name} gave ${vectors.values[bad]} in the embedding of sample "${id[Math.floor(bad / vectors.width)]}" (entry ${bad % vectors.width}): embeddings must be finite`)
    }
    return { type: "done", results: [{ outputs: {}, inline: {}, notices, trace }], vectors }
  }

  const fits = stage.siblings !== undefined || stage.fit !== undefined ? prepared.map(({ fitting }) => fitting()) : []
  const fitted: ReadonlyArray<ErasedOutputs> = stage.siblings !== undefined ?
    await perform(stage.siblings.fit(prepared.map(({ member }, i) => ({ inputs: fits[i]!.inputs, parameters: member.parameters })))) :
    stage.fit !== undefined ?
    [await perform(stage.fit(fits[0]!.inputs, prepared[0]!.member.parameters))] :
    prepared.map(() => ({}))
  const results: Array<MemberResult> = []
  for (const [i, { all, member }] of prepared.entries()) {
    const learned = check(stage.learns, fitted[i]!)
    const given = job.task === "fit" ? {} : await perform(applied(stage, learned, all(), member))
    results.push({ ...keepTables(store, { ...learned, ...(job.task === "fit" ? {} : check(stage.gives, given)) }), notices: [...notices], timings: i === 0 ? timings : [], ...(fits[i] === undefined ? {} : { handed: fits[i].handed }), trace })
  }
  return { type: "done", results }
}

/** What was learned, as a stage reads it: all columns of every table. */
const learnedOf = (tables: Readonly<Record<string, Table>>): ErasedOutputs =>
  inputsOf(tables, Object.fromEntries(Object.entries(tables).map(([port, { columns }]) => [port, [...columns.keys()]]))) as unknown as ErasedOutputs

const applied = (stage: Stage, learned: Readonly<Record<string, Table>>, inputs: ErasedInputs, { parameters }: Member) => {
  return stage.run !== undefined ? stage.run(inputs, parameters) : stage.apply!(learnedOf(learned), inputs, parameters)
}

/** After a job that read these tables: what it left in memory goes before the next one takes its own. */
const tidy = (used: ReadonlySet<string>) => {
  const freed = forgetTables(used)
  if (freed > garbageBytes || memoryUsage().arrayBuffers > garbageBytes + decodedBytes()) collectGarbage()
}
const decodedBytes = () => [...tables.values()].reduce((sum, { bytes, shared }) => shared ? sum : sum + bytes, 0)
const usedBy = ({ members }: Job) => new Set(members.flatMap(({ inputs }) => Object.values(inputs).map(({ blob }) => blob)))

const post = (message: FromWorker) => parentPort!.postMessage(message)
parentPort!.on("message", (job: Job) => {
  const used = usedBy(job)
  run(job).then(post, (cause: unknown) => {
    const expected = cause instanceof Expected
    const system = typeof cause === "object" && cause !== null && "_tag" in cause
    post({ type: "failed", expected: expected || system, lostPixels: expected && cause.lostPixels, message: expected || system ? (cause as Error).message : thrown(cause) })
  }).finally(() => {
    // in a turn of its own, when nothing refers to the job any more
    setImmediate(tidy, used)
  })
})
