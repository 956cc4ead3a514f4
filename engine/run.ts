/**
 * Runs a grid: a node whose inputs are there is looked up; what is not done goes to the workers, upstream stages first, siblings together. A
 * result whose content is as before stops there: its dependents find their keys unchanged. Independent work goes on when a node fails.
 */
import { dirname, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"
import type { Action, Output } from "../cache/action.ts"
import type { Cache } from "../cache/cache.ts"
import { digestOf, type Document } from "../cache/canonical.ts"
import { keepClosure } from "./closure-text.ts"
import { isCommand } from "./command.ts"
import { embedder, type RowCounts } from "./embedding.ts"
import type { Grid, Node } from "./expand.ts"
import { columnsRead } from "./key.ts"
import { lookup, type Missing } from "./lookup.ts"
import { Pending, siblingsAtOnce } from "./pending.ts"
import { discardDamagedPixels } from "./pixels.ts"
import { Pool, WorkFailed } from "./pool.ts"
import { runCommand } from "./process.ts"
import { type InputTable, type Job, type MemberResult, sizeOf } from "./protocol.ts"
import { actionOf, remembering } from "./record.ts"
import { LostOutput, Tables } from "./tables.ts"

export type State = "cached" | "run" | "restored" | "failed" | "skipped"

export type RunEvent =
  | { readonly type: "started"; readonly nodes: ReadonlyArray<Node> }
  | { readonly type: "progress"; readonly node: Node; readonly done: number; readonly total: number }
  | { readonly type: "finished"; readonly node: Node; readonly state: "cached" | "run" | "restored"; readonly seconds: number }
  | { readonly type: "failed"; readonly node: Node; readonly message: string }
  | { readonly type: "skipped"; readonly node: Node; readonly because: Node }
  | { readonly type: "lost"; readonly node: Node; readonly message: string }

export interface RunOptions {
  readonly grid: Grid
  readonly cache: Cache
  readonly jobs: number
  /** Bytes of large tables to hold in memory. */
  readonly memory: number
  /** Stages to run even where their result is cached. */
  readonly force: ReadonlySet<string>
  readonly failFast: boolean
  readonly rehash: boolean
  readonly backend: string | undefined
  readonly onEvent: (event: RunEvent) => void
}

export interface Failure {
  readonly node: Node
  readonly message: string
}

export interface RunResult {
  readonly states: ReadonlyArray<State | undefined>
  /** Keys by node; `undefined` where it has no result. */
  readonly keys: ReadonlyArray<string | undefined>
  readonly outputs: ReadonlyArray<Made | undefined>
  readonly failures: ReadonlyArray<Failure>
  readonly notices: ReadonlyMap<number, ReadonlyArray<string>>
  readonly rows: RowCounts
  readonly bytes: number
  readonly tables: Tables
}

/** What a node gave: an action just made, or an entry of the index. */
type Made = { readonly outputs: Readonly<Record<string, Output>> }

interface Work {
  readonly node: Node
  readonly missing: Missing
  readonly group: string | undefined
}

/** Runs a grid to its end. Failures of nodes are in the result; it fails itself only where the cache does. */
export const run = Effect.fn("engine/run")(function*({ backend, cache, failFast, force, grid, jobs, memory, onEvent, rehash }: RunOptions) {
  const { index, store } = cache
  const { nodes } = grid
  const { find, missingFile } = lookup({ grid, index, rehash, backend })
  const tables = new Tables(cache, memory)
  const pool = new Pool(jobs)
  yield* Effect.addFinalizer(() => Effect.promise(() => pool.close()))
  const slots = Semaphore.makeUnsafe(jobs)
  const call = (job: Job, onProgress: (done: number, total: number) => void) => slots.withPermits(1)(Effect.suspend(() => pool.run(job, onProgress)))
  const embed = embedder({ cache, tables, jobs, call })
  const folder = dirname(resolve(grid.file.source.file))

  const states: Array<State | undefined> = Array.from({ length: nodes.length })
  const keys: Array<string | undefined> = Array.from({ length: nodes.length })
  const outputs: Array<Made | undefined> = Array.from({ length: nodes.length })
  const failures: Array<Failure> = []
  const notices = new Map<number, ReadonlyArray<string>>()
  let embedded = 0, cachedRows = 0, bytes = 0

  const dependents: Array<Array<number>> = nodes.map(() => [])
  const waiting = nodes.map((node) => {
    const upstream = new Set(node.bindings.map((binding) => binding.node))
    for (const up of upstream) dependents[up]!.push(node.index)
    return upstream.size
  })
  const rank = new Map(grid.stages.map((stage, i) => [stage, i]))
  const outputOf = (node: number, output: string): Output => outputs[node]!.outputs[output]!

  const ready: Array<number> = nodes.flatMap((node) => waiting[node.index] === 0 ? [node.index] : [])
  const pending = new Pending<Work>(grid.stages.length)
  const restoring = new Set<number>()
  /** Nodes that found pixels gone and are tried once more. */
  const regained = new Set<number>()
  let inFlight = 0, stopped = false

  const groupOf = (node: Node, missing: Missing): string | undefined => {
    const { siblings } = node.implementation.stage
    if (siblings === undefined) return undefined
    const same = node.bindings.filter(({ port }) => siblings.same.includes(port)).map(({ node: up, output, port }) => [port, outputOf(up, output).blob])
    return digestOf("siblings", { file: node.implementation.file, backend: missing.backend, alike: siblings.alike(node.parameters) as Document, same })
  }

  const release = (node: Node) => {
    for (const down of dependents[node.index]!) if (--waiting[down]! === 0) ready.push(down)
  }
  const finish = (node: Node, state: "cached" | "run" | "restored", seconds: number) => {
    states[node.index] = state
    onEvent({ type: "finished", node, state, seconds })
    release(node)
  }
  const skipDependents = (node: Node, because: Node) => {
    for (const down of dependents[node.index]!) {
      if (states[down] !== undefined) continue
      states[down] = "skipped"
      onEvent({ type: "skipped", node: nodes[down]!, because })
      skipDependents(nodes[down]!, because)
    }
  }
  const failNode = (node: Node, message: string) => {
    states[node.index] = "failed"
    failures.push({ node, message })
    onEvent({ type: "failed", node, message })
    skipDependents(node, node)
    if (failFast) stopped = true
  }
  /** An output turned out lost or damaged: its node is done again before whoever needs it. */
  const remake = (up: Node, needing: Node, message: string) => {
    onEvent({ type: "lost", node: up, message })
    const key = keys[up.index]
    if (key !== undefined) index.forget(key)
    outputs[up.index] = undefined
    states[up.index] = undefined
    restoring.add(up.index)
    waiting[needing.index] = 1
    dependents[up.index] = [needing.index]
    ready.push(up.index)
  }

  /** A node whose upstream is being made again waits for it. */
  const parked = (node: Node): boolean => {
    const up = new Set(node.bindings.map((binding) => binding.node).filter((binding) => outputs[binding] === undefined))
    for (const index of up) dependents[index]!.push(node.index)
    waiting[node.index] = up.size
    return up.size > 0
  }

  const consider = (node: Node) => {
    if (states[node.index] !== undefined || stopped || parked(node)) return
    const found = find(node, outputOf, force.has(node.stage) || restoring.has(node.index))
    if (found.done === "never") return failNode(node, found.message)
    if (!found.done) {
      pending.add(rank.get(node.stage)!, { node, missing: found, group: groupOf(node, found) })
      return
    }
    const { entry } = found
    const leaf = dependents[node.index]!.length === 0
    if (leaf && entry.hasBlobs && !Object.values(entry.outputs).every((output) => tables.there(output))) {
      index.forget(entry.key)
      restoring.add(node.index)
      return consider(node)
    }
    keys[node.index] = entry.key
    outputs[node.index] = entry
    if (node.implementation.stage.embed !== undefined) for (const output of Object.values(entry.outputs)) if (output.kept === "rows") cachedRows += output.rows
    finish(node, "cached", entry.seconds)
  }

  /** Actions that are in the store but not yet in the index; entered many at a time. */
  const unindexed: Array<Action> = []
  const enterActions = () => index.batch(() => {
    for (const action of unindexed.splice(0)) index.record(action)
  })
  yield* Effect.addFinalizer(() => Effect.sync(enterActions))

  /** Implementations whose text is in the store. */
  const kept = new Set<string>()

  const record = ({ missing, node }: Work, result: MemberResult, started: string, seconds: number) => {
    if (!kept.has(node.implementation.file)) keepClosure(store, node.implementation)
    kept.add(node.implementation.file)
    const because = restoring.has(node.index) ? "output lost" : force.has(node.stage) ? "forced" : undefined
    const made: Action = { ...actionOf(node, missing, result, started, seconds), ...(because === undefined ? {} : { because }) }
    const action = remembering(index.action(made.key), made)
    store.putDocument("actions", action.key, JSON.stringify(action))
    unindexed.push(action)
    // an ingest result is found through its trace, which only the index has: it is entered at once
    if (unindexed.length >= 256 || missing.staticKey !== undefined) enterActions()
    // what nobody reads next need not be held: the tables of a large grid's leaves would fill memory
    if (dependents[node.index]!.length > 0) for (const [blob, bytes] of Object.entries(result.inline)) tables.hold(blob, { bytes }, bytes.length)
    keys[node.index] = action.key
    outputs[node.index] = action
    if (result.notices.length > 0) notices.set(node.index, result.notices)
    for (const output of Object.values(result.outputs)) bytes += output.bytes
    finish(node, restoring.has(node.index) ? "restored" : "run", seconds)
  }

  /** Inputs of a node for a worker; an input that is lost is made again first, and the node has to wait (`undefined`). */
  const inputsOf = (node: Node): Readonly<Record<string, InputTable>> | undefined => {
    const inputs: Record<string, InputTable> = {}
    if (parked(node)) return undefined
    for (const binding of node.bindings) {
      const output = outputOf(binding.node, binding.output)
      try {
        inputs[binding.port] = tables.input(keys[binding.node]!, output, columnsRead(node, binding.port, output))
      } catch (cause) {
        if (!(cause instanceof LostOutput)) throw cause
        remake(nodes[binding.node]!, node, cause.message)
        return undefined
      }
    }
    return inputs
  }

  const finished = yield* Queue.unbounded<{ readonly work: ReadonlyArray<Work>; readonly exit: Exit.Exit<ReadonlyArray<MemberResult>, WorkFailed>; readonly started: string; readonly seconds: number }>()
  const fibers = yield* FiberSet.make<void>()

  const start = (work: ReadonlyArray<Work>, effect: Effect.Effect<ReadonlyArray<MemberResult>, WorkFailed>) => {
    inFlight++
    const started = new Date().toISOString(), begin = performance.now()
    onEvent({ type: "started", nodes: work.map(({ node }) => node) })
    return FiberSet.run(fibers, Effect.flatMap(Effect.exit(effect), (exit) => Queue.offer(finished, { work, exit, started, seconds: (performance.now() - begin) / 1000 })))
  }

  const dispatch = Effect.fnUntraced(function*() {
    while (inFlight < jobs && !stopped) {
      const next = pending.next()
      if (next === undefined) return
      const first = next.item
      const inputs = inputsOf(first.node)
      if (inputs === undefined) continue
      const { implementation } = first.node
      const { stage } = implementation
      const progress = (done: number, total: number) => onEvent({ type: "progress", node: first.node, done, total })
      if (isCommand(implementation.uses)) {
        const given = Object.fromEntries(first.node.bindings.map((binding) => [binding.port, tables.table(keys[binding.node]!, outputOf(binding.node, binding.output))]))
        yield* start([first], Effect.map(slots.withPermits(1)(runCommand(cache, first.node, given, folder)), (result) => [result]))
        continue
      }
      const job: Omit<Job, "members" | "task" | "learned"> = {
        file: implementation.file,
        uses: implementation.uses,
        backend: first.missing.backend?.split(" ")[0],
        dataRoot: grid.dataRoot,
        cacheRoot: store.root,
        ingest: stage.kind === "ingest",
        files: first.missing.files
      }
      const member = (node: Node, inputs: Readonly<Record<string, InputTable>>) => ({ parameters: node.parameters, inputs })
      if (stage.embed !== undefined) {
        const samples = first.node.bindings.find(({ node: up, output }) => outputOf(up, output).table === "samples")!
        const table = tables.table(keys[samples.node]!, outputOf(samples.node, samples.output))
        yield* start([first], Effect.map(embed(first.node, table, { ...job, members: [member(first.node, inputs)] }, first.missing.preimage, progress), ({ counts, result }) => {
          embedded += counts.embedded
          cachedRows += counts.cached
          return [result]
        }))
        continue
      }
      const together = [first], members = [member(first.node, inputs)]
      const most = siblingsAtOnce(stage.siblings?.most ?? 1, Object.values(inputs).reduce((sum, input) => sum + sizeOf(input), 0))
      while (together.length < most) {
        const other = next.sibling()
        if (other === undefined) break
        const own = inputsOf(other.node)
        if (own === undefined) continue
        together.push(other)
        members.push(member(other.node, own))
      }
      const whole = Effect.map(call({ ...job, task: "node", members, learned: {} }, progress), ({ results }) => results)
      yield* start(together, whole)
    }
  })

  const settle = Effect.fnUntraced(function*() {
    const { exit, seconds, started, work } = yield* Queue.take(finished)
    inFlight--
    if (Exit.isSuccess(exit)) {
      work.forEach((each, i) => record(each, exit.value[i]!, started, seconds / work.length))
      return
    }
    const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
    if (failure === undefined) {
      const defect = exit.cause.reasons.find((reason) => reason._tag === "Die")
      if (defect?.defect instanceof LostOutput) return failNode(work[0]!.node, `${defect.defect.message}; run again`)
      return yield* Effect.failCause(exit.cause as never)
    }
    // one bad sibling must not take the others down: each is tried alone
    if (work.length > 1) {
      for (const each of work) pending.again(rank.get(each.node.stage)!, { ...each, group: undefined })
      return
    }
    const { node } = work[0]!
    if (!failure.error.lostPixels || regained.has(node.index)) return failNode(node, failure.error.message)
    regained.add(node.index)
    // another node may have found the same pixels gone: then their ingest runs already, or has run since
    if (parked(node)) return
    const samples = node.bindings.find(({ node: up, output }) => outputOf(up, output).table === "samples")
    // whoever reads no samples reads pixels of its own: there is nobody to make them again
    if (samples === undefined) return failNode(node, failure.error.message)
    if (restoring.has(samples.node)) ready.push(node.index)
    else {
      discardDamagedPixels(store, tables.table(keys[samples.node]!, outputOf(samples.node, samples.output)))
      remake(nodes[samples.node]!, node, failure.error.message)
    }
  })

  // a file that is not there is told at once, not after the hours of work before it
  for (const node of nodes) {
    const message = states[node.index] === undefined ? missingFile(node) : undefined
    if (message !== undefined) failNode(node, message)
  }
  for (;;) {
    for (let i = 0; i < ready.length; i++) consider(nodes[ready[i]!]!)
    ready.length = 0
    yield* dispatch()
    if (ready.length > 0) continue
    if (inFlight === 0) break
    yield* settle()
  }
  for (const node of nodes) states[node.index] ??= "skipped"
  failures.sort((a, b) => a.node.index - b.node.index)
  const result: RunResult = { states, keys, outputs, failures, notices, rows: { embedded, cached: cachedRows }, bytes, tables }
  return result
}, Effect.scoped)
