/**
 * The contract of a stage: what it needs, what it gives, which parameters it takes, and the Effect that does the work.
 *
 * A stage is one of
 * - `run`: learns nothing; every output row follows from the inputs (readers, splits, pass-through);
 * - `fit` + `apply`: whatever learns from data. `fit` is handed the training rows (and the validation rows where `validates` is set),
 *   never test rows; `apply` maps every row with what was learned. What `fit` learned is an output too (`learns`);
 * - `embed` (with `fit` where it learns): a function of one sample and view at a time, kept row by row, so that ten new images embed ten.
 *
 * A stage sees only the columns that it declares, files only through `Files`, randomness only through `stream(seed, ...)` of its own
 * `seed`. So its result depends on nothing that is not in its key. Inputs are for reading: arrays up to 8 MiB are copies, larger ones and the rows of
 * list columns are shared with other nodes, and writing into them would change what those read.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Vectors } from "../schemas/column.ts"
import type { Columns, TableInput, TableOf, TableSchema } from "../schemas/table.ts"

export const kinds = ["ingest", "embed", "mine", "train", "probe"] as const
export type Kind = (typeof kinds)[number]

/** What a stage says when it cannot go on: what is wrong, where, and what to do about it. Of a `cause` that was thrown, the place in the user's file is told too. */
export class StageError extends Data.TaggedError("StageError")<{ readonly message: string; readonly cause?: unknown }> {}

// ---- services a stage may use -------------------------------------------------------------------------------------------------

/** A file could not be read as asked. */
export class FileError extends Data.TaggedError("FileError")<{ readonly path: string; readonly message: string }> {}

export interface FileEntry {
  readonly path: string
  readonly digest: string
}

/** A file as it was when it was opened. It holds nothing that would have to be closed. */
export interface OpenFile {
  /** Bytes. */
  readonly size: number
  /** Bytes from an offset on; fewer where the file ends before. */
  readonly read: (offset: number, length: number) => Effect.Effect<Uint8Array, FileError>
}

/**
 * Files below the data root, and pixels that ingest made itself. Paths use "/" and are relative to the root; `shards/0.tar/7.jpg` is a member of a
 * tar archive. Links are followed as long as they stay below the root.
 * What an ingest stage reads, lists or finds absent becomes part of its key.
 */
export class Files extends Context.Service<Files, {
  /** The bytes of a file. With a digest: exactly those bytes, or an error that says the file changed since it was ingested. */
  readonly read: (path: string, digest?: string) => Effect.Effect<Uint8Array, FileError>
  /**
   * A file that is read in parts, for those too large for memory. With a digest: that very file, or an error at its first read. Whatever is read comes from
   * the file as it was when it was opened: a change meanwhile is an error too.
   */
  readonly open: (path: string, digest?: string) => Effect.Effect<OpenFile, FileError>
  /** SHA-256 of a file, hex, without handing out its bytes. */
  readonly digest: (path: string) => Effect.Effect<string, FileError>
  /** Names in a folder in byte order; folders end in "/". A tar archive is a folder of its members' whole names. */
  readonly list: (folder: string) => Effect.Effect<ReadonlyArray<string>, FileError>
  readonly exists: (path: string) => Effect.Effect<boolean, FileError>
  /** Keeps bytes that the stage made (rendered or cropped pixels) in the cache; the path begins with "cache:". */
  readonly keep: (bytes: Uint8Array) => Effect.Effect<FileEntry, FileError>
}>()("outcrop/Files") {}

/**
 * What a stage tells its user while it works. Notices are kept with the result; they are for counts: what was dropped and why. `timed` begins to time a
 * piece of work and gives what ends it; the log tells the user how long it took, nobody tells the stage.
 */
export class Report extends Context.Service<Report, {
  readonly notice: (text: string) => Effect.Effect<void>
  readonly progress: (done: number, total: number) => Effect.Effect<void>
  readonly timed: () => (what: string) => void
}>()("outcrop/Report") {}

/** Says in the node's notices what a user should know of the result: what was dropped, and why. */
export const notice = (text: string) => Effect.flatMap(Report, (report) => report.notice(text))

/** The numeric engine a training stage runs on; part of the key. */
export class Backend extends Context.Service<Backend, { readonly name: string }>()("outcrop/Backend") {}

export type Services = Files | Report | Backend

// ---- parameters ---------------------------------------------------------------------------------------------------------------

/** Gives a parameter a default. It is filled in before anything is hashed, so writing the default out changes no key. */
export const withDefault = <S extends Schema.Top>(schema: S, value: S["Encoded"]): Schema.withDecodingDefaultKey<S> => {
  const annotated: unknown = Schema.annotate<Schema.Top>({ default: value })(schema)
  return Schema.withDecodingDefaultKey<S>(Effect.succeed(value))(annotated as S)
}

/** A parameter that names a file below the data root (a model, a list). The key holds the file's digest, not its path. */
export const FileParameter = Schema.NonEmptyString.annotate({ description: "a file below the data root", fileParameter: true })

/** The seed of a stage that draws. Streams are split from it by name: `stream(seed, "crop", sampleId)`. */
export const Seed = withDefault(Schema.Int.annotate({ description: "seed of what the stage draws" }), 0)

/** `released`: do as the authors' code does, leaks included (fit on all rows). Allowed, recorded, and said by the audit. */
export const Protocol = withDefault(
  Schema.Literals(["clean", "released"]).annotate({ description: "clean: fit on training rows only; released: as the authors' code, on all rows" }),
  "clean"
)

// ---- ports --------------------------------------------------------------------------------------------------------------------

/** A named, typed table that a stage needs: which table, which of its columns, and whether the stage can do without. */
export interface Port<C extends Columns = Columns, K extends keyof C = keyof C, Optional extends boolean = boolean> {
  readonly table: TableSchema<C>
  readonly columns: ReadonlyArray<K & string>
  /** Open columns read, by the stage's parameters; "all": whatever there is. */
  readonly open: "all" | ((parameters: never) => ReadonlyArray<string>)
  readonly optional: Optional
  /** Whether the parameters given make the stage read this port at all. */
  readonly when: (parameters: never) => boolean
  /** Whether the parameters given make the stage need it, so that it has to be bound. */
  readonly needed: (parameters: never) => boolean
}

// oxlint-disable-next-line typescript/no-explicit-any -- the bound of a heterogeneous record of ports
type AnyPort = Port<any, any, boolean>

const none = () => []
const always = () => true
const never = () => false

/** Needs the named columns of a table (the key columns come along). Without names: all of its declared columns. */
export function needs<C extends Columns>(table: TableSchema<C>): Port<C, keyof C, false>
export function needs<C extends Columns, K extends keyof C & string>(table: TableSchema<C>, ...columns: readonly [K, ...ReadonlyArray<K>]): Port<C, K | "sample_id" & keyof C, false>
export function needs(table: TableSchema, ...columns: ReadonlyArray<string>): AnyPort {
  return {
    table,
    columns: columns.length === 0 ? Object.keys(table.columns) : [...new Set([...table.key, ...columns])],
    open: none,
    optional: false,
    when: always,
    needed: always
  }
}

/** Open columns that a port reads, named by the stage's parameters: `dtl` reads the class column only, and only that is in its key. */
export const withOpen = <C extends Columns, K extends keyof C, O extends boolean, P = never>(port: Port<C, K, O>, open: "all" | ((parameters: P) => ReadonlyArray<string>)): Port<C, K, O> => ({ ...port, open })

/** A port that may be left unbound; its absence is part of the key. */
export const optional = <C extends Columns, K extends keyof C>(port: Port<C, K, boolean>): Port<C, K, true> => ({ ...port, optional: true, needed: never })

/** A port that is needed with some parameters; with others the stage sees `undefined` and the port is not in its key. */
export const when = <C extends Columns, K extends keyof C, P = never>(port: Port<C, K, boolean>, condition: (parameters: P) => boolean): Port<C, K, true> => ({ ...port, optional: true, when: condition, needed: condition })

export type Needs = Readonly<Record<string, AnyPort>>
export type Gives = Readonly<Record<string, TableSchema>>
/** The tables a stage reads, by port. */
export type Inputs<N extends Needs> = {
  readonly [P in keyof N]: N[P] extends Port<infer C, infer K, infer O> ? (O extends true ? TableOf<C, K> | undefined : TableOf<C, K>) : never
}
/** The tables a stage gives, by port. */
export type Outputs<G extends Gives> = { readonly [P in keyof G]: G[P] extends TableSchema<infer C> ? TableInput<C> : never }

type Work<A> = Effect.Effect<A, StageError | FileError, Services>

// ---- the stage ----------------------------------------------------------------------------------------------------------------

interface Common<F extends Schema.Struct.Fields, N extends Needs, G extends Gives, L extends Gives> {
  /** `<kind>/<name>`; a stage of the user's own takes its kind from it too. */
  readonly name: `${Kind}/${string}`
  /** Raised by hand when the meaning changes although the code does not (a corrected default, a new reading of the paper). */
  readonly version: number
  /** One line for `outcrop stages`. */
  readonly summary: string
  /** Whose method, protocol or layout it is, for `outcrop stages`: "SoftCon (arXiv 2405.20462)". */
  readonly paper?: string
  readonly with: Schema.Struct<F>
  readonly needs: N
  readonly gives: G
  /** Tables that `fit` learns: centres, weights, history. They are outputs too. */
  readonly learns?: L
  /** `fit` also gets the validation rows: the stage selects on them (checkpoint, regularisation). */
  readonly validates?: boolean
  /** Engines the stage can run on with its parameters, best first: the first is taken unless the user asks for another. */
  readonly backends?: (parameters: Schema.Struct<F>["Type"]) => ReadonlyArray<string>
}
type Parameters<F extends Schema.Struct.Fields> = Schema.Struct<F>["Type"]

/** One of several nodes that are fitted in one call. */
export interface Member<F extends Schema.Struct.Fields, N extends Needs> {
  readonly inputs: Inputs<N>
  readonly parameters: Parameters<F>
}

interface Run<F extends Schema.Struct.Fields, N extends Needs, G extends Gives> {
  readonly run: (inputs: Inputs<N>, parameters: Parameters<F>) => Work<Outputs<G>>
}
interface Fit<F extends Schema.Struct.Fields, N extends Needs, L extends Gives> {
  readonly fit: (inputs: Inputs<N>, parameters: Parameters<F>) => Work<Outputs<L>>
}
/**
 * Fits several ready nodes in one call (folds and seeds of a training as one batched model). Each keeps its own key and result, and its
 * bits must not depend on who ran beside it.
 */
interface FitSiblings<F extends Schema.Struct.Fields, N extends Needs, L extends Gives> {
  readonly siblings: {
    /** The most nodes in one call. */
    readonly most: number
    /** Nodes may share a call where this is equal ... */
    readonly alike: (parameters: Parameters<F>) => unknown
    /** ... and these ports hold the same content. */
    readonly same: ReadonlyArray<keyof N & string>
    /** One result a member, in their order. */
    readonly fit: (members: ReadonlyArray<Member<F, N>>) => Work<ReadonlyArray<Outputs<L>>>
  }
}
interface Apply<F extends Schema.Struct.Fields, N extends Needs, G extends Gives, L extends Gives> {
  readonly apply: (learned: Outputs<L>, inputs: Inputs<N>, parameters: Parameters<F>) => Work<Outputs<G>>
}
/**
 * One of the views that an embed stage gives of each sample: its name, and all that makes it, as a JSON document. A view of its name alone
 * is the sample as it is.
 */
export interface View {
  readonly name: string
  readonly [part: string]: unknown
}
interface EmbedRows<F extends Schema.Struct.Fields, N extends Needs, L extends Gives, V extends View> {
  /**
   * The views that the parameter `views` asks for, names distinct; without this the one view "full". Each is embedded and cached by itself,
   * whatever others there are. Of two spellings of one view it gives the same document.
   */
  readonly views?: (parameters: Parameters<F>) => ReadonlyArray<V>
  /**
   * Embeds one view of the samples given, one vector each, in their order. A vector must depend on its own sample's content alone, not on
   * `sample_id` (two samples of the same content share a row): the engine asks for the missing rows only, in chunks of its own choice.
   * Ports other than the samples are handed over whole, and the columns read of them are in the key of every row; a split is for `fit`.
   */
  readonly embed: (learned: Outputs<L>, inputs: EmbedInputs<N>, parameters: Omit<Parameters<F>, "views">, view: V) => Work<Vectors>
}
type EmbedInputs<N extends Needs> = { readonly [P in keyof N as "split" extends keyof N[P]["table"]["columns"] ? never : P]: Inputs<N>[P] }

type Body<F extends Schema.Struct.Fields, N extends Needs, G extends Gives, L extends Gives, V extends View> =
  | Run<F, N, G>
  | (Fit<F, N, L> & Apply<F, N, G, L>)
  | (FitSiblings<F, N, L> & Apply<F, N, G, L>)
  | EmbedRows<F, N, L, V>
  | (Fit<F, N, L> & EmbedRows<F, N, L, V>)

/** A stage with its types erased: what the engine handles. Inputs were cut to the declared columns, parameters decoded by `with`. */
export interface Stage {
  readonly name: `${Kind}/${string}`
  readonly kind: Kind
  readonly version: number
  readonly summary: string
  readonly paper?: string
  readonly with: Schema.Codec<unknown> & { readonly fields: Schema.Struct.Fields }
  readonly needs: Needs
  readonly gives: Gives
  readonly learns: Gives
  readonly validates: boolean
  readonly backends: (parameters: unknown) => ReadonlyArray<string>
  readonly run?: (inputs: ErasedInputs, parameters: unknown) => Work<ErasedOutputs>
  readonly fit?: (inputs: ErasedInputs, parameters: unknown) => Work<ErasedOutputs>
  readonly siblings?: {
    readonly most: number
    readonly alike: (parameters: unknown) => unknown
    readonly same: ReadonlyArray<string>
    readonly fit: (members: ReadonlyArray<{ readonly inputs: ErasedInputs; readonly parameters: unknown }>) => Work<ReadonlyArray<ErasedOutputs>>
  }
  readonly apply?: (learned: ErasedOutputs, inputs: ErasedInputs, parameters: unknown) => Work<ErasedOutputs>
  readonly views?: (parameters: unknown) => ReadonlyArray<View>
  readonly embed?: (learned: ErasedOutputs, inputs: ErasedInputs, parameters: unknown, view: View) => Work<Vectors>
}
export type ErasedInputs = Readonly<Record<string, TableOf<Columns> | undefined>>
export type ErasedOutputs = Readonly<Record<string, TableInput<Columns>>>

/** Declares a stage. The file's default export is the stage; `uses: <kind>/<name>` or `uses: ./file.ts` finds it there. */
export const make = <F extends Schema.Struct.Fields, const N extends Needs, const G extends Gives, const L extends Gives = {}, V extends View = View>(
  spec: Common<F, N, G, L> & Body<F, N, G, L, V>
): Stage => ({
  learns: {},
  validates: false,
  backends: () => [],
  ...spec,
  kind: spec.name.slice(0, spec.name.indexOf("/")) as Kind
}) as unknown as Stage
