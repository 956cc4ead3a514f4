/** A chain as a drawing: Mermaid for Markdown, DOT for Graphviz. */
import type { Chain } from "./trace.ts"

/** What stands in the boxes: a line or two for each step, and the numbers asked for. */
export interface Drawing {
  readonly labels: ReadonlyArray<ReadonlyArray<string>>
  readonly title: string
}

const edges = ({ steps }: Chain) =>
  steps.flatMap(({ up }, to) => {
    const ports = new Map<number, Array<string>>()
    for (const { port, step } of up) ports.set(step, [...ports.get(step) ?? [], port])
    return Array.from(ports, ([from, names]) => ({ from, to, label: names.join(", ") }))
  })

/** Text between quotation marks in Mermaid, where signs are written as entities. */
const mermaidText = (text: string) => `"${text.replaceAll(/[&"<>#]/g, (sign) => `#${sign.charCodeAt(0)};`)}"`

export const mermaid = (chain: Chain, { labels, title }: Drawing): string => [
  "flowchart LR",
  ...labels.map((lines, step) => `  s${step}[${mermaidText(lines.join("\n")).replaceAll("\n", "<br>")}]`),
  `  asked([${mermaidText(title)}])`,
  ...edges(chain).map(({ from, label, to }) => `  s${from} -->|${mermaidText(label)}| s${to}`),
  ...chain.ends.map((end) => `  s${end} --> asked`)
].join("\n")

const dotText = (text: string) => `"${text.replaceAll("\\", "\\\\").replaceAll("\"", "\\\"").replaceAll("\n", "\\n")}"`

export const dot = (chain: Chain, { labels, title }: Drawing): string => [
  "digraph lineage {",
  "  rankdir=LR",
  "  node [shape=box, fontname=\"sans-serif\"]",
  "  edge [fontname=\"sans-serif\", fontsize=10]",
  ...labels.map((lines, step) => `  s${step} [label=${dotText(lines.join("\n"))}]`),
  `  asked [label=${dotText(title)}, shape=ellipse]`,
  ...edges(chain).map(({ from, label, to }) => `  s${from} -> s${to} [label=${dotText(label)}]`),
  ...chain.ends.map((end) => `  s${end} -> asked`),
  "}"
].join("\n")
