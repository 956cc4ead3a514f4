import * as fs from "node:fs"
import { join } from "node:path"
import type { Measured } from "../figures.ts"
import { writeFolding, writeGrid, writeOneMore } from "../grids.ts"
import { installed, once, outcrop, timed } from "../machine.ts"
import { findProgram } from "../python.ts"
import type { Row, Subject } from "../subject.ts"

/** The same grid of trivial stages for other tools: one input and n leaves that each write one small file. */
interface Tool {
  readonly name: string
  readonly file: string
  readonly content: (leaves: ReadonlyArray<number>) => string
  readonly run: ReadonlyArray<string>
  readonly plan: ReadonlyArray<string>
  /** Leaves that it is given; fewer where its first run would take minutes. */
  readonly most?: number
}
const tools: ReadonlyArray<Tool> = [
  {
    name: "ninja",
    file: "build.ninja",
    content: (leaves) => `rule copy\n  command = (cat $in; echo $p) > $out\n${leaves.map((i) => `build out/${i}: copy raw.txt\n  p = ${i}`).join("\n")}\n`,
    run: ["-j1"],
    plan: ["-n"]
  },
  {
    name: "doit",
    file: "dodo.py",
    content: (leaves) => `def task_leaf():
    for i in range(${leaves.length}):
        yield {"name": str(i), "file_dep": ["raw.txt"], "targets": [f"out/{i}"], "actions": [f"(cat raw.txt; echo {i}) > out/{i}"]}
`,
    run: [],
    plan: ["list", "--all", "--status"]
  },
  {
    name: "snakemake",
    file: "Snakefile",
    content: (leaves) => `rule all:
    input: expand("out/{i}", i=range(${leaves.length}))

rule leaf:
    input: "raw.txt"
    output: "out/{i}"
    shell: "(cat {input}; echo {wildcards.i}) > {output}"
`,
    run: ["--cores", "1", "--quiet", "all"],
    plan: ["-n", "--quiet", "all"],
    most: 1000
  }
]

/** No-op and plan of a tool over so many leaves. Its first run is not measured: it starts a shell a leaf, where our stages are functions. */
const measureTool = (tool: Tool, program: string, root: string, leaves: number): { readonly again: Measured; readonly plan: Measured } => {
  const folder = join(root, tool.name), run = (words: ReadonlyArray<string>) => once([program, ...words], folder)
  fs.mkdirSync(join(folder, "out"), { recursive: true })
  fs.writeFileSync(join(folder, "raw.txt"), "raw\n")
  fs.writeFileSync(join(folder, tool.file), tool.content(Array.from({ length: leaves }, (_, i) => i)))
  run(tool.run)
  return { again: timed(3, () => run(tool.run)), plan: timed(3, () => run(tool.plan)) }
}

const nodesOf = (output: string) => (JSON.parse(output) as { readonly nodes: { readonly run: number; readonly cached: number; readonly total: number } }).nodes

export default {
  title: "Grids",
  about: "The engine alone: a grid of trivial stages of a user's own over one ingest, as whole processes; other tools beside with a grid of shell commands of the same size.",
  run: async ({ folder, quick, remark, row }) => {
    const side = quick ? 32 : 100, cells = side * side, rounds = quick ? 3 : 7
    const run = (...words: ReadonlyArray<string>) => once([...outcrop, ...words], folder)
    const seconds = (what: string, ours: Measured, rest: Partial<Row> = {}) => row({ what, unit: "s", better: "lower", ours, ...rest })
    const target = (value: number) => quick ? {} : { target: { value } }

    const found = quick ? [] : tools.flatMap((tool) => {
      const program = findProgram(tool.name)
      if (program === undefined) remark(`Left out: ${tool.name} is not installed.`)
      return program === undefined || tool.most !== undefined ? [] : [{ name: tool.name, ...measureTool(tool, program, folder, cells) }]
    })
    const beside = (of: "again" | "plan") => ({ peers: Object.fromEntries(found.map((tool) => [tool.name, tool[of]])) })

    writeGrid(folder, side)
    const total = nodesOf(run("plan", "grid.yaml", "--json").output).total
    seconds(`first run of ${total} nodes`, timed(1, () => run("run", "grid.yaml", "--json")), target(15))
    seconds(`no-op rerun of ${cells} nodes (\`run --json\`)`, timed(rounds, () => run("run", "grid.yaml", "--json")), { ...target(0.6), ...beside("again") })
    seconds(`the same with its table of ${cells} rows read and printed`, timed(Math.min(rounds, 5), () => run("run", "grid.yaml")))
    seconds("`plan` of the same", timed(rounds, () => run("plan", "grid.yaml", "--json")), { ...target(0.6), ...beside("plan") })
    let more = 0.125, last = { run: 0, cached: 0 }
    const leaf = timed(Math.min(rounds, 5), () => {
      writeOneMore(folder, side, more++)
      const timing = run("run", "one-more.yaml", "--json")
      last = nodesOf(timing.output)
      return timing
    })
    seconds(`one changed leaf of ${cells}: ${last.run} ran, ${last.cached} cached`, leaf, target(0.8))
    const distinct = quick ? 99 : 999
    writeFolding(folder, distinct, 100)
    seconds(`\`plan\` of ${(distinct * 100).toLocaleString("en-US")} cells that fold into ${distinct + 1} nodes`, timed(5, () => run("plan", "folding.yaml", "--json")), target(2))

    for (const tool of tools) {
      const program = tool.most === undefined || quick ? undefined : findProgram(tool.name)
      if (program === undefined) continue
      const small = join(folder, "small"), side = Math.floor(Math.sqrt(tool.most!))
      writeGrid(small, side)
      once([...outcrop, "run", "grid.yaml", "--json"], small)
      const { again } = measureTool(tool, program, folder, side * side)
      seconds(`no-op rerun of ${side * side} nodes`, timed(rounds, () => once([...outcrop, "run", "grid.yaml", "--json"], small)), { peers: { [tool.name]: again } })
    }
    if (!installed("taskset")) remark("Without taskset the other tools may use more than one core.")
    if (!quick) remark("ninja compares times of files and knows no parameters, contents or tables; it is the floor. A shell a stage is not compared with a function a stage: first runs of the others are left out.")
  }
} satisfies Subject
