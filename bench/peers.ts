/** The same grid of trivial stages for other pipeline tools: one ingest and n leaves that each write one small file. */
import * as fs from "node:fs"
import { join } from "node:path"

export interface Peer {
  readonly name: string
  readonly folder: string
  readonly prepare: () => void
  readonly command: ReadonlyArray<string>
}

export const peers = (root: string, n: number): ReadonlyArray<Peer> => {
  const peer = (name: string, file: string, content: () => string, command: ReadonlyArray<string>): Peer => {
    const folder = join(root, name)
    return {
      name,
      folder,
      prepare: () => {
        fs.mkdirSync(join(folder, "out"), { recursive: true })
        fs.writeFileSync(join(folder, "raw.txt"), "raw\n")
        fs.writeFileSync(join(folder, file), content())
      },
      command
    }
  }
  const leaves = Array.from({ length: n }, (_, i) => i)
  return [
    peer("ninja", "build.ninja", () => `rule copy\n  command = (cat $in; echo $p) > $out\n${leaves.map((i) => `build out/${i}: copy raw.txt\n  p = ${i}`).join("\n")}\n`, ["ninja", "-j1"]),
    peer("doit", "dodo.py", () => `def task_leaf():
    for i in range(${n}):
        yield {"name": str(i), "file_dep": ["raw.txt"], "targets": [f"out/{i}"], "actions": [f"(cat raw.txt; echo {i}) > out/{i}"]}
`, ["doit"])
  ]
}
