/** Rows as text: for the terminal while they come, and as Markdown for `bench/README.md`. */
import { type Measured, ratio } from "./figures.ts"
import type { Row } from "./subject.ts"

/** A figure with the digits that it can bear. */
export const figure = (value: number): string =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(Math.abs(value) >= 10 ? 3 : 2).replace(/^(-?\d+)\.0$/, "$1")

const spread = ({ high, low, median, n }: Measured) => `${figure(median)}${n > 1 ? ` (${figure(low)}–${figure(high)})` : ""}`

/** The target in words, and whether it is met. */
export const targetOf = ({ better, ours, peers = {}, target }: Row): string => {
  if (target === undefined) return ""
  if (Number.isNaN(ours.median)) return "not measured"
  if ("value" in target) {
    const met = better === "lower" ? ours.median <= target.value : ours.median >= target.value
    return `${better === "lower" ? "≤" : "≥"} ${figure(target.value)}${met ? "" : " **missed**"}`
  }
  const [first] = Object.values(peers)
  return `≥ ${target.ratio}x${first === undefined || ratio(better, ours, first) >= target.ratio ? "" : " **missed**"}`
}

/** A row as cells: what, ours, peer, ratio, target; one line more for each further peer. */
export const cells = (row: Row): ReadonlyArray<ReadonlyArray<string>> => {
  const there = Object.entries(row.peers ?? {}).flatMap(([name, value]) => value === undefined ? [] : [[name, value] as const])
  const peers = there.map(([name, value]) => [`${name}: ${spread(value)}`, `${ratio(row.better, row.ours, value).toFixed(2)}x`])
  const [first = ["", ""], ...more] = peers
  const unit = row.unit === "" ? "" : ` ${row.unit}`
  return [[row.what, `${spread(row.ours)}${unit}`, ...first, targetOf(row)], ...more.map((peer) => ["", "", ...peer, ""])]
}

/** A row as it is printed while the bench runs. */
export const line = (row: Row): string =>
  cells(row).map(([what, ours, peer, by, target]) => [what === "" ? "" : `${what}: ${ours}`, peer === "" ? "" : `${peer} (${by})`, target === "" ? "" : `target ${target}`].filter((part) => part !== "").join("; "))
    .join("; ").replaceAll("**", "")

const escaped = (text: string) => text.replaceAll("|", "\\|")

/** The rows as a Markdown table; the columns of peers are left out where there is none. */
export const table = (rows: ReadonlyArray<Row>): string => {
  const all = rows.flatMap(cells)
  const keep = [0, 1, 2, 3, 4].filter((column) => column < 2 || all.some((line) => line[column] !== ""))
  const of = (line: ReadonlyArray<string>) => `| ${keep.map((column) => escaped(line[column]!)).join(" | ")} |`
  return [of(["", "outcrop", "peer", "ratio", "target"]), of(["---", "---", "---", "---", "---"]), ...all.map(of)].join("\n")
}

/** What one subject said. */
export interface Section {
  title: string
  about: string
  readonly rows: Array<Row>
  readonly remarks: Array<string>
}

/** The whole report, a section a subject. */
export const report = (
  sections: ReadonlyArray<Section>,
  { date, facts, minutes }: { readonly facts: ReadonlyArray<string>; readonly date: string; readonly minutes: number }
): string => {
  const head = `# Measurements

    npm run bench                     # all of it, with the peers that it finds, into this file
    npm run bench -- --quick          # a minute, without peers
    npm run bench -- training grid    # these only, to the terminal

${facts.join("  \n")}  
${date}, ${minutes.toFixed(0)} minutes.

A figure is the median of several runs, the least and the most in brackets; ours and a peer's take turns. A ratio above 1 means that outcrop is better.
Absolute times differ by a factor of two between machines of the same kind: ratios count. Peers run where the Python of OUTCROP_BENCH_PYTHON (else
\`python3\`) has their packages; each is written as an expert of that library would, see \`bench/peers/\`.`
  const text = sections.map(({ about, remarks, rows, title }) => [
    `## ${title}`,
    about,
    ...(rows.length === 0 ? [] : [table(rows)]),
    ...(remarks.length === 0 ? [] : [remarks.map((remark) => `- ${remark}`).join("\n")])
  ].join("\n\n"))
  return `${[head, ...text].join("\n\n")}\n`
}
