/**
 * An action is the record of one result: the key with its pre-image, the digests of what came out, and how it went. It is the unit of
 * trust: an output is served only through an action, and an action is written only after all of its outputs are.
 */
import type { Document } from "./canonical.ts"

export interface OutputColumn {
  readonly kind: string
  readonly digest: string
}

/** One table that a node gave. */
export interface Output {
  readonly table: string
  readonly rows: number
  /** In stored order; digests of the content of each. */
  readonly columns: Readonly<Record<string, OutputColumn>>
  readonly metadata: Readonly<Record<string, string>>
  /** SHA-256 of the Arrow IPC file. */
  readonly blob: string
  readonly bytes: number
  /** Small tables stand in the action itself; others are blobs of the store; embeddings are lists of rows in segments. */
  readonly kept: "inline" | "blob" | "rows"
}

/** What an ingest stage met in the file system: digests of files, "absent", or "folder <digest of its listing>". */
export type Trace = Readonly<Record<string, string>>

/** A piece of the work, and how long it took. */
export interface Timing {
  readonly what: string
  readonly seconds: number
}

/** The samples that a `fit` was handed: what the engine did, not what a stage promises. */
export interface Handed {
  /** `split`: those that the split gives to fitting; `all`: every row, because no split is bound or `protocol: released` asks for it. */
  readonly by: "split" | "all"
  /** Samples by their role in the split; under "" where there is none. */
  readonly roles: Readonly<Record<string, number>>
  /** SHA-256 of their ids in byte order, each followed by a line feed. */
  readonly samples: string
}

/** What the same key gave when it was run before, and was not what it gave then. */
export interface Earlier {
  readonly started: string
  readonly host: string
  /** Digests of what came out, by `port.column`. */
  readonly columns: Readonly<Record<string, string>>
}

export interface Action {
  readonly version: 1
  readonly key: string
  readonly identity: string
  /** The implementation: "mine/box-clusters", or a path of the user's. */
  readonly uses: string
  /** The document whose digest is the key. */
  readonly preimage: Document
  readonly outputs: Readonly<Record<string, Output>>
  /** Base64 of the Arrow IPC files that stand in the action, by blob digest. */
  readonly inline: Readonly<Record<string, string>>
  readonly notices: ReadonlyArray<string>
  readonly timings?: ReadonlyArray<Timing>
  /** Where the stage fits. */
  readonly handed?: Handed
  /** Why it was made although its key was no new one. */
  readonly because?: "forced" | "output lost"
  /** Where it came out differently before, the oldest first. */
  readonly earlier?: ReadonlyArray<Earlier>
  readonly trace?: Trace
  /** The key of the static part, where files are found while the stage runs. */
  readonly staticKey?: string
  /** UTC, when the work began. */
  readonly started: string
  readonly seconds: number
  readonly host: string
  readonly node: string
}
