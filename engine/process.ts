/** Runs a `<kind>/command` stage: Arrow files in and out, stderr shown when it fails, its whole process group killed when interrupted. */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { Cache } from "../cache/cache.ts"
import { readWhole, writeParts } from "../cache/store.ts"
import { decode, encodeParts } from "../schemas/arrow.ts"
import { InvalidTable, make, type Table, type TableInput, view, wordsOf } from "../schemas/table.ts"
import { type Command, variable } from "./command.ts"
import type { Node } from "./expand.ts"
import { keepTables } from "./output.ts"
import { WorkFailed } from "./pool.ts"
import type { MemberResult } from "./protocol.ts"

/** The last lines of what a program said. */
const tail = (text: string) => text.trimEnd().split("\n").slice(-30).join("\n")

export const runCommand = (cache: Cache, node: Node, inputs: Readonly<Record<string, Table>>, folder: string): Effect.Effect<MemberResult, WorkFailed> => {
  const { command, params } = node.parameters as Command
  const fail = (message: string) => new WorkFailed({ message, expected: true, lostPixels: false })
  return Effect.acquireUseRelease(
    Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "outcrop-"))),
    (scratch) => Effect.callback<MemberResult, WorkFailed>((resume) => {
      const environment: Record<string, string | undefined> = { ...process.env, OUTCROP_PARAMS: JSON.stringify(params) }
      for (const [port, table] of Object.entries(inputs)) {
        const path = join(scratch, `in-${port}.arrow`)
        writeParts(path, encodeParts(table))
        environment[`OUTCROP_IN_${variable(port)}`] = path
      }
      const outputs = Object.entries(node.implementation.stage.gives).map(([port, schema]) => ({ port, schema, path: join(scratch, `out-${port}.arrow`) }))
      for (const { path, port } of outputs) environment[`OUTCROP_OUT_${variable(port)}`] = path
      const child = spawn(command[0]!, command.slice(1), { cwd: folder, env: environment, detached: true, stdio: ["ignore", "pipe", "pipe"] })
      let said = "", settled = false
      const hear = (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-20_000)
      }
      child.stdout.on("data", hear)
      child.stderr.on("data", hear)
      const settle = (result: Effect.Effect<MemberResult, WorkFailed>) => {
        if (settled) return
        settled = true
        resume(result)
      }
      child.on("error", (error) => settle(Effect.fail(fail(`${command[0]} cannot be started: ${error.message}`))))
      child.on("close", (code, signal) => {
        if (code !== 0) return settle(Effect.fail(fail(`${command.join(" ")} ended with ${signal ?? `code ${code}`}; its last words:\n${tail(said) || "(nothing)"}`)))
        try {
          const tables = Object.fromEntries(outputs.map(({ path, port, schema }) => {
            const bytes = readWhole(path, (size) => new Uint8Array(size))
            if (bytes === undefined) throw new Error(`it ended well but wrote no file to OUTCROP_OUT_${variable(port)}`)
            const given = decode(schema, bytes, true)
            return [port, make(schema, view(given, [...given.columns.keys()]) as unknown as TableInput<typeof schema.columns>)]
          }))
          settle(Effect.succeed({ ...keepTables(cache.store, tables), notices: [], trace: {} }))
        } catch (cause) {
          settle(Effect.fail(fail(`${command.join(" ")}: ${cause instanceof InvalidTable ? `its table ${cause.table} is invalid: ${wordsOf(cause)}` : (cause as Error).message}`)))
        }
      })
      return Effect.sync(() => {
        settled = true
        try {
          process.kill(-child.pid!, "SIGKILL")
        } catch {
          // it ended by itself
        }
      })
    }),
    (scratch) => Effect.sync(() => fs.rmSync(scratch, { recursive: true, force: true }))
  )
}
