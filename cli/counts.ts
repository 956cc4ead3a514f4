/** What is known of each stage of a run while it runs: nodes, what is counted inside them, rates, time left. */
import type { Grid, Node } from "../engine/expand.ts"
import type { RunEvent } from "../engine/run.ts"
import type { Kind } from "../stages/stage.ts"
import { showSeconds } from "./words.ts"

/** What the stages of a kind count, and whether it is the work of all that run together: siblings in training count the same epochs. */
const units: Readonly<Partial<Record<Kind, { readonly name: string; readonly rate: boolean }>>> = {
  ingest: { name: "samples", rate: true },
  embed: { name: "rows", rate: true },
  train: { name: "epochs", rate: false }
}

/** What a running node has counted so far; times in seconds. */
interface Counted {
  readonly from: number
  readonly since: number
  done: number
  total: number
  at: number
}

interface StageCount {
  readonly stage: string
  readonly kind: Kind
  total: number
  done: number
  cached: number
  /** By node. */
  readonly running: Set<number>
  failed: number
  since: number | undefined
  /** By node. */
  readonly counted: Map<number, Counted>
  /** Of the nodes that are done. */
  items: number
}

const show = (count: number): string => count.toLocaleString("en")
/** A rate in three digits. */
const showRate = (rate: number): string => rate >= 100 ? show(Math.round(rate)) : rate.toFixed(rate >= 10 ? 1 : 2)
const sum = (values: ReadonlyArray<number>): number => values.reduce((a, b) => a + b, 0)

/** Items a second of the nodes that are running; undefined before two counts are known. */
const rateOf = ({ counted }: StageCount): number | undefined => {
  const known = [...counted.values()].filter(({ at, done, from, since }) => at > since && done > from)
  return known.length === 0 ? undefined : sum(known.map(({ at, done, from, since }) => (done - from) / (at - since)))
}

/** How much of the running nodes is done, in nodes; those that have not counted yet are taken to be as far as the others. */
const partly = ({ counted, running }: StageCount): number =>
  counted.size === 0 ? 0 : running.size * sum([...counted.values()].map(({ done, total }) => total === 0 ? 0 : done / total)) / counted.size

/** Seconds until all nodes of a stage are done: by the count where it covers all that is left, else by the nodes done so far. */
const secondsLeft = (count: StageCount, now: number): number | undefined => {
  const { cached, counted, done, failed, running, since, total } = count
  const open = total - done - cached - failed, rate = rateOf(count)
  if (since === undefined || open <= 0) return undefined
  if (open === running.size && counted.size === running.size && rate !== undefined) return sum([...counted.values()].map((node) => node.total - node.done)) / rate
  const finished = done + partly(count)
  return finished === 0 ? undefined : (now - since) / finished * (open - partly(count))
}

/** "1,280 of 20,000 rows, 21.3 rows/s" of what is running; undefined where nothing was counted. */
const counting = (count: StageCount): string | undefined => {
  const unit = units[count.kind], nodes = [...count.counted.values()], rate = rateOf(count)
  if (nodes.length === 0) return undefined
  const what = `${show(sum(nodes.map(({ done }) => done)))} of ${show(sum(nodes.map(({ total }) => total)))}`
  if (unit === undefined) return what
  return `${what} ${unit.name}${unit.rate && rate !== undefined ? `, ${showRate(rate)} ${unit.name}/s` : ""}`
}

/** Counts of a run by stage, from its events; `now` is in seconds of any clock. */
export class Counts {
  readonly #stages: ReadonlyMap<string, StageCount>
  readonly #width: number

  constructor({ nodes, stages }: Pick<Grid, "nodes" | "stages">) {
    const counts = new Map<string, StageCount>()
    for (const { implementation, stage } of nodes) {
      const count = counts.get(stage) ?? { stage, kind: implementation.stage.kind, total: 0, done: 0, cached: 0, running: new Set(), failed: 0, since: undefined, counted: new Map(), items: 0 }
      count.total++
      counts.set(stage, count)
    }
    this.#stages = new Map(stages.flatMap((stage) => counts.has(stage) ? [[stage, counts.get(stage)!]] : []))
    this.#width = Math.max(...stages.map((stage) => stage.length))
  }

  #of(node: Node): StageCount {
    return this.#stages.get(node.stage)!
  }

  on(event: RunEvent, now: number): void {
    switch (event.type) {
      case "started":
        for (const node of event.nodes) {
          const count = this.#of(node)
          count.since ??= now
          count.running.add(node.index)
        }
        return
      case "progress": {
        const { counted } = this.#of(event.node), known = counted.get(event.node.index)
        if (known === undefined || known.total !== event.total) counted.set(event.node.index, { from: event.done, since: now, done: event.done, total: event.total, at: now })
        else Object.assign(known, { done: event.done, at: now })
        return
      }
      case "finished": {
        const count = this.#of(event.node)
        count.items += count.counted.get(event.node.index)?.total ?? 0
        count.counted.delete(event.node.index)
        if (event.state === "cached") count.cached++
        else count.done++
        count.running.delete(event.node.index)
        return
      }
      case "failed": {
        const count = this.#of(event.node)
        count.counted.delete(event.node.index)
        count.failed++
        count.running.delete(event.node.index)
        return
      }
      default:
        return
    }
  }

  /** One line a stage that has begun: a bar, nodes, time left first (lines may be cut off), and what is counted inside its nodes. */
  lines(now: number): ReadonlyArray<string> {
    return [...this.#stages.values()].flatMap((count) => {
      if (count.since === undefined) return []
      const finished = count.done + count.cached, left = secondsLeft(count, now), counted = counting(count)
      // a result that was lost is done a second time
      const filled = Math.min(20, Math.floor((finished + partly(count)) / count.total * 20))
      const words = [
        `${finished}/${count.total}${counted === undefined && count.running.size > 0 ? ` (${count.running.size} running)` : ""}`,
        ...(count.failed > 0 ? [`${count.failed} failed`] : []),
        ...(left === undefined ? [] : [`${showSeconds(left)} left`]),
        ...(counted === undefined ? [] : [counted])
      ]
      return [`${count.stage.padEnd(this.#width)} ${"█".repeat(filled)}${"░".repeat(20 - filled)} ${words.join(", ")}`]
    })
  }

  /** Where the stage of a node is, as a line of its own: "embed: 1,280 of 20,000 rows, 21.3 rows/s, 14 min 39 s left". */
  line(node: Node, now: number): string | undefined {
    const count = this.#of(node), counted = counting(count), left = secondsLeft(count, now)
    if (counted === undefined) return undefined
    const nodes = count.total > 1 ? ` ${count.done + count.cached} of ${count.total} done,` : ""
    return `${node.stage}:${nodes} ${counted}${left === undefined ? "" : `, ${showSeconds(left)} left`}`
  }

  /** What a stage took, once it is over: "embed: 1 of 1 ran in 12.3 s, 240 rows, 19.5 rows/s". */
  over(node: Node, now: number): string | undefined {
    const { cached, done, failed, items, kind, running, since, total } = this.#of(node)
    if (since === undefined || running.size > 0 || done === 0 || done + cached + failed < total) return undefined
    const unit = units[kind], seconds = now - since
    return `${node.stage}: ${done} of ${total} ran in ${showSeconds(seconds)}${unit?.rate === true && items > 0 ? `, ${show(items)} ${unit.name}, ${showRate(items / seconds)} ${unit.name}/s` : ""}`
  }
}
