/** What the main thread and its workers say to each other. */
import type { Handed, Output, Timing, Trace } from "../cache/action.ts"
import { isVectors } from "../schemas/column.ts"
import type { Table } from "../schemas/table.ts"
import type { View } from "../stages/stage.ts"

/** A table handed to a worker: Arrow bytes, or columns whose large arrays are shared memory. */
export interface InputTable {
  /** Name of the content, so that a worker decodes it once. */
  readonly blob: string
  readonly table: string
  readonly bytes?: Uint8Array
  readonly columns?: Table["columns"]
  readonly metadata?: Readonly<Record<string, string>>
  /** Columns the stage reads; it sees no others. */
  readonly read: ReadonlyArray<string>
}

/** Bytes of a table's large arrays, wherever they lie. */
export const sizeOf = ({ bytes, columns }: Pick<InputTable, "bytes" | "columns">): number => {
  let sum = bytes?.byteLength ?? 0
  for (const { column } of columns?.values() ?? []) sum += isVectors(column) ? column.values.byteLength : ArrayBuffer.isView(column) ? column.byteLength : 0
  return sum
}

export interface Member {
  readonly parameters: unknown
  readonly inputs: Readonly<Record<string, InputTable>>
}

export interface Job {
  /** The closure to run. */
  readonly file: string
  readonly uses: string
  /** `node`: the whole work of each member; `fit`: only what is learned; `embed`: vectors of the rows given. */
  readonly task: "node" | "fit" | "embed"
  readonly members: ReadonlyArray<Member>
  /** embed: what was learned, as inputs. */
  readonly learned: Readonly<Record<string, InputTable>>
  /** embed: rows of the samples port to embed, and which view of them. */
  readonly rows?: Int32Array
  readonly view?: View
  readonly backend: string | undefined
  readonly dataRoot: string
  readonly cacheRoot: string
  /** ingest stages may read what is below the data root, and what they read is recorded; others get the files their parameters name. */
  readonly ingest: boolean
  readonly files: Readonly<Record<string, string>>
}

export interface MemberResult {
  readonly outputs: Readonly<Record<string, Output>>
  /** Arrow bytes of the tables that are small enough to stand in the action. */
  readonly inline: Readonly<Record<string, Uint8Array>>
  readonly notices: ReadonlyArray<string>
  readonly timings?: ReadonlyArray<Timing>
  readonly handed?: Handed
  readonly trace: Trace
}

export type FromWorker =
  | { readonly type: "done"; readonly results: ReadonlyArray<MemberResult>; readonly vectors?: { readonly width: number; readonly values: Float32Array } }
  /** `lostPixels`: pixels that an ingest stage kept are gone or damaged. */
  | { readonly type: "failed"; readonly message: string; readonly expected: boolean; readonly lostPixels: boolean }
  | { readonly type: "progress"; readonly done: number; readonly total: number }
