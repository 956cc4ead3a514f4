/** Lists that data sets bring beside their images: CSV and JSON files, and which of the images that they name are there. */
import * as Effect from "effect/Effect"
import { Stage } from "outcrop"
import { suggest } from "../schemas/spelling.ts"
import { leaveOut, noneIn } from "./source.ts"

/** A row of a CSV, and the line of the file that it ends on. */
export interface Line {
  readonly line: number
  readonly fields: ReadonlyArray<string>
  /** Fields by the names in the header. */
  readonly record: Readonly<Record<string, string>>
}

const fail = (message: string) => Effect.fail(new Stage.StageError({ message }))
const because = (path: string, what: string) => (cause: unknown) =>
  new Stage.StageError({ message: `${path} is ${what}: ${cause instanceof Error ? cause.message : String(cause)}` })

/** The text of a file. Fails where it is not UTF-8: read as if it were, the umlauts of Latin-1 would all be one letter, and names that differ by them one name. */
export const textOf = Effect.fn("textOf")(function*(path: string) {
  const files = yield* Stage.Files
  const bytes = yield* files.read(path)
  return yield* Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: () => new Stage.StageError({ message: `${path} is not UTF-8; save it as UTF-8` })
  })
})

/**
 * Reads a CSV with a header; blank lines do not count. `quote: false` takes quotation marks as they stand, as GBIF's tab-separated files
 * want it. Fails where a row has more or fewer fields than the header (a truncated file), or where there are no rows.
 */
export const csvLines = Effect.fn("csvLines")(function*(path: string, delimiter = ",", quote: "\"" | false = "\"") {
  const { parse } = yield* Effect.promise(() => import("csv-parse/sync"))
  const text = yield* textOf(path)
  const ends: Array<number> = []
  const parsed = yield* Effect.try({
    try: () =>
      parse(text, {
        bom: true,
        delimiter,
        quote,
        skip_empty_lines: true,
        trim: true,
        on_record: (record: Array<string>, { lines }) => {
          ends.push(lines)
          return record
        }
      }),
    catch: because(path, "not a readable CSV")
  })
  const [header, ...rows] = parsed
  if (header === undefined || rows.length === 0) return yield* fail(`${path} has no rows`)
  const lines = rows.map((fields, i): Line => ({ line: ends[i + 1]!, fields, record: Object.fromEntries(header.map((name, at) => [name, fields[at]!])) }))
  return { header, lines }
})

/** Fails where a CSV lacks one of these columns, or has it twice. */
export const needColumns = (path: string, header: ReadonlyArray<string>, names: ReadonlyArray<string | undefined>) => {
  const lost = names.find((name) => name !== undefined && !header.includes(name))
  if (lost !== undefined) return fail(`${path} has no column "${lost}"${suggest(lost, header.filter((name) => !names.includes(name)))}; it has ${header.join(", ")}`)
  const twice = names.find((name) => name !== undefined && header.indexOf(name) < header.lastIndexOf(name))
  return twice === undefined ? Effect.void : fail(`${path} has two columns "${twice}"; rename one of them`)
}

/** Reads a JSON file, whatever it holds. */
export const json = Effect.fn("json")(function*(path: string) {
  const text = yield* textOf(path)
  return yield* Effect.try({ try: (): unknown => JSON.parse(text), catch: because(path, "not JSON") })
})

/** Which of the images that a list names are there. Those that are not stop the stage, or are left out with a count. `folder` is the parameter `images`, for a message. */
export const present = Effect.fn("present")(function*(images: ReadonlyArray<string>, list: string, missing: "stop" | "skip", folder: string | undefined) {
  const files = yield* Stage.Files
  const paths = [...new Set(images)]
  const there = new Set(yield* Effect.filter(paths, (path) => files.exists(path), { concurrency: 8 }))
  yield* leaveOut(`images listed in ${list} that have no file`, paths.filter((path) => !there.has(path)), paths.length, missing, noneOf(folder, list))
  return there
})

/** Says that none of the images that a list names was found, and where they were looked for. */
export const noneOf = (images: string | undefined, list: string): string => images === undefined ? `none was found beside ${list}: \`images\` names another folder` : noneIn({ images })

/** The folder that a path lies in; "": the root. */
export const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")))
