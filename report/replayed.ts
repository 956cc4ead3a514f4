/** A replay in words: one line an output of a stage, then whatever is not equal to the bit, and the circumstances of then and now. */
import type { Likeness } from "../lineage/equality.ts"
import type { Circumstances, Replay, ReplayedNode } from "../lineage/replay.ts"
import { style, textTable } from "./terminal.ts"

const words: Readonly<Record<Likeness, string>> = { equal: "equal to the bit", close: "equal within tolerance", differs: "NOT equal", unknown: "other bits, distance unknown" }
const colour: Readonly<Record<Likeness, "green" | "yellow" | "red">> = { equal: "green", close: "yellow", differs: "red", unknown: "yellow" }
const order: ReadonlyArray<Likeness> = ["differs", "unknown", "close", "equal"]

const seconds = (value: number) => `${value.toFixed(value < 10 ? 2 : 1)} s`
const total = (nodes: ReadonlyArray<ReplayedNode>, of: (node: ReplayedNode) => Circumstances | undefined) => seconds(nodes.reduce((sum, node) => sum + (of(node)?.seconds ?? 0), 0))

/** One line a stage and output, over its nodes. */
const summary = (nodes: ReadonlyArray<ReplayedNode>): string => {
  const stages = [...new Set(nodes.map(({ stage }) => stage))]
  return textTable([">nodes", "stage", "output", ">rows", "replay", ">recorded", ">now"], stages.flatMap((stage) => {
    const own = nodes.filter((node) => node.stage === stage), made = own.filter(({ replayed }) => replayed !== undefined)
    const outputs = [...new Set(made.flatMap((node) => node.outputs.map(({ output }) => output)))]
    const times = [total(own, ({ recorded }) => recorded), total(own, ({ replayed }) => replayed)]
    const lines = outputs.map((output, i): Array<string> => {
      const each = made.flatMap((node) => node.outputs.filter((found) => found.output === output))
      const counts = order.flatMap((likeness) => {
        const count = each.filter((found) => found.likeness === likeness).length
        return count === 0 ? [] : [style(colour[likeness], `${each.length === count ? "" : `${count} `}${words[likeness]}`)]
      })
      return [i === 0 ? String(own.length) : "", i === 0 ? stage : "", output, String(each.reduce((sum, { rows }) => sum + rows, 0)), counts.join(", "), ...(i === 0 ? times : [])]
    })
    const failed = own.length - made.length
    return failed === 0 ? lines : [...lines, [lines.length === 0 ? String(own.length) : "", lines.length === 0 ? stage : "", "", "", style("red", `${failed} could not be made`)]]
  }))
}

const plain = (value: number) => value === 0 || (value >= 1e-3 && value < 1e6) ? String(Number(value.toPrecision(3))) : value.toExponential(1)

/** What is not equal to the bit, column by column; the first few of many. */
const details = (nodes: ReadonlyArray<ReplayedNode>): Array<string> => {
  const lines = nodes.flatMap(({ address, failure, outputs, stage }) => [
    ...(failure === undefined ? [] : [`${style("red", address)}: ${failure.replaceAll("\n", "\n  ")}`]),
    ...outputs.filter(({ likeness }) => likeness !== "equal").map(({ columns, likeness, note, output, rows }) => {
      const parts = columns.map(({ column, most, rows: different, within }) =>
        `${column}: ${different} of ${rows} rows differ${most === null ? "" : `, by ${plain(most)} at most`}${within ? "" : style("red", " (beyond tolerance)")}`)
      return `${style(colour[likeness], `${stage}.${output}${address.slice(stage.length)}`)}: ${[...(note === undefined ? [] : [note]), ...parts].join("; ")}`
    })
  ])
  return lines.length > 20 ? [...lines.slice(0, 20), `... and ${lines.length - 20} more (--json lists all)`] : lines
}

const distinct = (nodes: ReadonlyArray<ReplayedNode>, of: (node: ReplayedNode) => Circumstances | undefined): string => {
  const all = nodes.flatMap((node) => of(node) ?? [])
  const list = (values: ReadonlyArray<string | null>) => [...new Set(values.flatMap((value) => value ?? []))].join(", ")
  const first = all.map(({ started }) => started).toSorted()[0]
  const engines = list(all.map(({ backend }) => backend))
  return `${first === undefined ? "never" : `${first.slice(0, 16).replace("T", " ")} UTC`} on ${list(all.map(({ host }) => host))}, Node ${list(all.map(({ node }) => node))}${engines === "" ? "" : `, ${engines}`}`
}

/** The verdict in a sentence. */
export const verdictText = ({ nodes, verdict }: Replay, tolerance: number): string => {
  const outputs = nodes.flatMap((node) => node.outputs), count = (wanted: Likeness) => outputs.filter(({ likeness }) => likeness === wanted).length
  switch (verdict) {
    case "equal":
      return style("green", `all ${outputs.length} outputs of ${nodes.length} nodes came out equal to the bit`)
    case "close":
      return style("yellow", `all ${outputs.length} outputs of ${nodes.length} nodes came out equal within the tolerance: ${count("equal")} to the bit, others within ${tolerance} of their size${
        count("unknown") > 0 ? `, but ${count("unknown")} whose recorded table is not there and whose word is what was made of them` : ""}`)
    case "failed":
      return style("red", `${nodes.filter(({ replayed }) => replayed === undefined).length} of ${nodes.length} nodes could not be made again`)
    case "differs":
      return style("red", `not equal: ${count("differs") + count("unknown")} of ${outputs.length} outputs came out otherwise than recorded, by more than ${tolerance} of their size`)
  }
}

/** Everything but the verdict. */
export const replayText = ({ nodes }: Replay): string => {
  const made = nodes.filter(({ replayed }) => replayed !== undefined)
  const more = details(nodes)
  return [
    summary(nodes),
    ...(more.length === 0 ? [] : ["", ...more]),
    "",
    style("dim", `recorded  ${distinct(nodes, ({ recorded }) => recorded)}; ${total(nodes, ({ recorded }) => recorded)} of work`),
    ...(made.length === 0 ? [] : [style("dim", `replayed  ${distinct(nodes, ({ replayed }) => replayed)}; ${total(nodes, ({ replayed }) => replayed)} of work`)])
  ].join("\n")
}
