/**
 * The command in the process of the tests, for words that only read: what it prints, without the start of a process of its own. A cache that it
 * opened stays open until the process ends: nothing that wants it alone, or its disk, may follow. Whole commands are started by `Folder`.
 */
import { stripVTControlCharacters } from "node:util"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { program } from "../cli/commands.ts"
import { CommandError } from "../cli/error.ts"
import type { Folder, Said } from "./pipeline.ts"

type Reading = "diff" | "get" | "lineage" | "plan" | "status" | "table" | "why"

/** Reads in a folder as `folder.outcrop(command, ...words)` does. */
export const reads = async (folder: Folder, command: Reading, ...words: ReadonlyArray<string>): Promise<Said> => {
  let out = "", err = "", code = 0
  const cwd = process.cwd(), { error, log } = globalThis.console, write = process.stdout.write
  const say = { log: (text: string) => void (out += `${text}\n`), error: (text: string) => void (err += `${text}\n`) }
  process.chdir(folder.path)
  Object.assign(globalThis.console, say)
  process.stdout.write = ((text: string) => (out += text) !== "") as typeof write
  try {
    await Effect.runPromise(program([command, ...words]).pipe(Effect.provideService(Console.Console, { ...globalThis.console, ...say })))
  } catch (cause) {
    if (!(cause instanceof CommandError)) throw cause
    code = cause.code
  } finally {
    process.stdout.write = write
    Object.assign(globalThis.console, { error, log })
    process.chdir(cwd)
  }
  return { code, out: stripVTControlCharacters(out), err: stripVTControlCharacters(err) }
}

/** What it prints with --json. */
export const read = async <A>(folder: Folder, command: Reading, ...words: ReadonlyArray<string>): Promise<A> => {
  const { err, out } = await reads(folder, command, ...words, "--json")
  if (out === "") throw new Error(err)
  return JSON.parse(out) as A
}
