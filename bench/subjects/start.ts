import { join } from "node:path"
import { interleaved } from "../figures.ts"
import { writeGrid } from "../grids.ts"
import { once, outcrop, timed } from "../machine.ts"
import { figure } from "../markdown.ts"
import type { Subject } from "../subject.ts"

/** What one waits for before anything happens: the command's start, and a pipeline of a few nodes. */
export default {
  title: "Start",
  about: "Whole processes: what one waits for before anything happens. The pipeline is a grid of 4 trivial stages of a user's own.",
  run: async ({ folder, quick, remark, row }) => {
    const at = join(folder, "few"), rounds = quick ? 3 : 11
    const run = (...words: ReadonlyArray<string>) => once([...outcrop, ...words], at)
    writeGrid(at, 2)
    row({ what: "first run, empty cache", unit: "s", better: "lower", ours: timed(1, () => run("run", "grid.yaml", "--json")) })
    const measures = await interleaved({
      node: () => once([process.execPath, "-e", "0"], at).seconds,
      help: () => run("--help").seconds,
      plan: () => run("plan", "grid.yaml", "--json").seconds,
      again: () => run("run", "grid.yaml", "--json").seconds
    }, rounds)
    row({ what: "`--help`", unit: "s", better: "lower", ours: measures.help, target: { value: 0.15 } })
    remark(`Of these, Node itself (\`node -e 0\`) takes ${figure(measures.node.median)} s.`)
    row({ what: "`plan`, all cached", unit: "s", better: "lower", ours: measures.plan })
    row({ what: "`run`, all cached", unit: "s", better: "lower", ours: measures.again })
  }
} satisfies Subject
