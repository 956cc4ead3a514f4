/** Writes a run into the history: once when it begins to work, once when it ends. */
import * as fs from "node:fs"
import { dirname, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { gitState, putGraph, putRun, type Run, runId } from "../engine/history.ts"
import { graphOf } from "../engine/graph.ts"
import type { RunResult } from "../engine/run.ts"
import { mapping } from "../lineage/node.ts"
import type { Session } from "./session.ts"
import { version } from "./version.ts"

/** The files of the user's own that the results of a grid rest on: the pipeline, its stages with what they import, sources of programs. */
const sourcesOf = ({ cache: { index }, file: { source }, grid }: Session): ReadonlyArray<string> => {
  const path = resolve(source.file), folder = dirname(path), files = new Set([path])
  for (const { code, uses } of new Set(grid.nodes.map(({ implementation }) => implementation))) {
    const entry = resolve(folder, uses), known = index.closure(entry)
    const own = known === undefined ? [entry].filter((file) => fs.existsSync(file)) : Object.keys(JSON.parse(known.inputs) as object)
    for (const file of [...own, ...Object.keys(mapping(mapping(code)["sources"])).map((name) => resolve(folder, name))]) if (!file.includes("node_modules")) files.add(file)
  }
  return [...files]
}

/** `begin`: when the command began, as `performance.now()` has it. */
export const recorder = (session: Session, begin: number) => {
  const { cache, file, grid } = session
  const path = resolve(file.source.file), git = gitState(dirname(path), sourcesOf(session))
  const started = new Date(Date.now() - (performance.now() - begin))
  const put = (state: Run["state"], git: Run["git"], result?: RunResult) => {
    const count = (wanted: ReadonlyArray<string>) => result?.states.filter((state) => state !== undefined && wanted.includes(state)).length ?? 0
    putRun(cache, {
      id,
      state,
      started: started.toISOString(),
      seconds: (performance.now() - begin) / 1000,
      asked: process.argv.slice(2),
      pipeline: { name: file.pipeline.name, file: path, text: file.source.text },
      dataRoot: grid.dataRoot,
      git,
      versions: { outcrop: version, node: process.versions.node },
      graph: result === undefined ? null : putGraph(cache, graphOf(grid, result.keys)),
      nodes: { total: grid.nodes.length, run: count(["run", "restored"]), cached: count(["cached"]), failed: count(["failed", "skipped"]) },
      cells: grid.cells.count,
      embedded: result?.rows.embedded ?? 0,
      failures: result?.failures.map(({ message, node }) => ({ address: node.address, message })) ?? []
    })
  }
  const id = runId(started)
  let begun = false
  /** What cannot be written down is told, and takes nothing from the results. */
  const attempt = (write: () => void) => {
    try {
      write()
    } catch (cause) {
      console.error(`this run will not be in the history: ${cause instanceof Error ? cause.message : String(cause)}`)
    }
  }
  return {
    id,
    /** The first time it is called. */
    begin: () => {
      if (!begun) attempt(() => put("running", null))
      begun = true
    },
    end: (state: Run["state"], result?: RunResult) => Effect.map(Effect.promise(() => git), (git) => attempt(() => put(state, git, result)))
  }
}
