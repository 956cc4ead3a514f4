/**
 * The index: look-up tables in SQLite (WAL, so that several runs read and write at once). It holds nothing that the store does not hold:
 * lost or damaged, it is rebuilt from the action documents, and the keys that nodes had from the runs on record. A result that is in the store
 * but not yet here (a kill between the two writes) is found by asking the store.
 */
import * as fs from "node:fs"
import { join } from "node:path"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import type { Action, Output, Trace } from "./action.ts"
import { CacheError, guarded } from "./error.ts"
import type { Known } from "./fingerprint.ts"
import { digestBytes, type Store } from "./store.ts"

/** `outputs` and `inline` have rows of over 1 kB, which without a rowid would each take a page of 4 kB of their own beside the tree. */
const schema = `
  create table if not exists actions (key text primary key, identity text not null, uses text not null, blobs integer not null, seconds real not null, at text not null) without rowid;
  create table if not exists outputs (key text primary key, outputs text not null);
  create index if not exists actions_by_identity on actions (identity, at);
  create index if not exists actions_by_uses on actions (uses, at);
  create table if not exists inline (blob text primary key, bytes blob not null);
  create table if not exists traces (static_key text not null, key text not null, trace text not null, at text not null, primary key (static_key, key)) without rowid;
  create table if not exists segments (id integer primary key, blob text not null unique);
  create table if not exists rows (key blob primary key, segment integer not null, position integer not null) without rowid;
  create table if not exists files (path text primary key, size integer not null, mtime integer not null, ctime integer not null, inode integer not null, seen integer not null, digest text not null) without rowid;
  create table if not exists closures (entry text primary key, inputs text not null, closure text not null) without rowid;
  create table if not exists addresses (pipeline text not null, address text not null, key text not null, previous text, primary key (pipeline, address)) without rowid;
`

/** Version of the tables above; an index of another version is made anew from the store. */
const layout = 3

/** So many nodes are looked up one by one in no time: a pipeline may have had a hundred thousand others. */
export const fewNodes = 1000

/** Milliseconds to wait for another process that writes. */
const patience = 60_000

/** What the index tells of an action: enough to go on without opening the document. */
export class Entry {
  readonly key: string
  readonly seconds: number
  /** Whether some outputs are blobs of the store, which may be lost; small ones stand in the index. */
  readonly hasBlobs: boolean
  readonly #read: (key: string) => Readonly<Record<string, Output>>
  #outputs: Readonly<Record<string, Output>> | undefined

  constructor(key: string, hasBlobs: boolean, seconds: number, read: (key: string) => Readonly<Record<string, Output>>) {
    this.key = key
    this.hasBlobs = hasBlobs
    this.seconds = seconds
    this.#read = read
  }

  /** Read when asked for: most results of a grid that is up to date never are. */
  get outputs(): Readonly<Record<string, Output>> {
    return this.#outputs ??= this.#read(this.key)
  }
}

const hasBlobs = (outputs: Readonly<Record<string, Output>>) => Object.values(outputs).some(({ kept }) => kept !== "inline")

export interface RowPlace {
  readonly segment: string
  readonly position: number
}

type FileRow = readonly [size: bigint, mtime: bigint, ctime: bigint, inode: bigint, seen: bigint, digest: string, path: string]
const knownIn = ([size, mtime, ctime, inode, seen, digest]: FileRow): Known => ({ size, mtime, ctime, inode, seen, digest })

export class Index {
  readonly #db: DatabaseSync
  readonly #store: Store
  readonly #statements = new Map<string, StatementSync>()
  readonly #entries = new Map<string, Entry>()
  /** The keys of addresses as they were prefetched, by pipeline. */
  readonly #prefetched = new Map<string, ReadonlyMap<string, string>>()
  #depth = 0

  private constructor(db: DatabaseSync, store: Store) {
    this.#db = db
    this.#store = store
  }

  /** Opens the index of a store. `fill` is called with one that is empty, because it was missing, damaged or of another layout. */
  static open(store: Store, fill: (index: Index) => void): Index {
    const path = join(store.root, "index.sqlite")
    return guarded(store.root, () => {
      try {
        return Index.#connect(path, store, fill)
      } catch (cause) {
        if (!/malformed|not a database|corrupt/i.test(String(cause))) throw cause
        for (const suffix of ["", "-wal", "-shm"]) fs.rmSync(path + suffix, { force: true })
        return Index.#connect(path, store, fill)
      }
    })
  }

  /**
   * Opens the file; makes and fills its tables where they are not there. SQLite itself waits for whoever writes, but not for two openings of
   * a new file at the same time, nor for the last one to leave: those are refused at once, and asked again here.
   */
  static #connect(path: string, store: Store, fill: (index: Index) => void): Index {
    const deadline = Date.now() + patience
    for (;;) {
      const db = new DatabaseSync(path)
      try {
        db.exec(`pragma busy_timeout = ${patience}`)
        db.exec("pragma journal_mode = wal; pragma synchronous = off; pragma temp_store = memory; pragma cache_size = -65536; pragma mmap_size = 1073741824")
        const version = () => Number(db.prepare("pragma user_version").get()!["user_version"]), index = new Index(db, store)
        // One transaction, the version last: whoever comes meanwhile waits, and after a kill in the middle the next one begins anew.
        if (version() !== layout) index.batch(() => {
          if (version() === layout) return
          for (const { name } of db.prepare("select name from sqlite_master where type = 'table'").all()) db.exec(`drop table "${String(name)}"`)
          db.exec(schema)
          fill(index)
          db.exec(`pragma user_version = ${layout}`)
        })
        return index
      } catch (cause) {
        db.close()
        if (!/database is locked/i.test(String(cause)) || Date.now() > deadline) throw cause
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
      }
    }
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** Runs many writes as one transaction. */
  batch<A>(body: () => A): A {
    return guarded(this.#store.root, () => {
      if (this.#depth > 0) return body()
      this.#db.exec("begin immediate")
      this.#depth++
      try {
        const result = body()
        this.#db.exec("commit")
        return result
      } catch (cause) {
        // SQLite itself rolls back where the disk is full
        if (this.#db.isTransaction) this.#db.exec("rollback")
        throw cause
      } finally {
        this.#depth--
      }
    })
  }

  /** The whole document of an action. */
  action(key: string): Action | undefined {
    const text = this.#store.document("actions", key)
    return text === undefined ? undefined : JSON.parse(text) as Action
  }

  readonly #outputsOf = (key: string): Readonly<Record<string, Output>> => {
    const row = this.#prepare("select outputs from outputs where key = ?").get(key)
    return row === undefined ? this.action(key)!.outputs : JSON.parse(row["outputs"] as string) as Readonly<Record<string, Output>>
  }

  /** The action of a key, if that work was done. */
  entry(key: string): Entry | undefined {
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const row = this.#prepare("select blobs, seconds from actions where key = ?").get(key)
    if (row !== undefined) return new Entry(key, row["blobs"] !== 0, row["seconds"] as number, this.#outputsOf)
    const action = this.action(key)
    if (action === undefined) return undefined
    try {
      this.batch(() => this.record(action))
    } catch (cause) {
      // a full disk, or one that is only read: it is entered another time
      if (!(cause instanceof CacheError)) throw cause
    }
    return new Entry(key, hasBlobs(action.outputs), action.seconds, () => action.outputs)
  }

  /** Reads the entries that a pipeline had when it was last run, all at once: a large grid then looks them up in memory. */
  prefetch(pipeline: string): void {
    const keys = new Map<string, string>()
    const rows = this.#prepare("select d.address as address, a.key as key, a.blobs as blobs, a.seconds as seconds from addresses d join actions a on a.key = d.key where d.pipeline = ?").all(pipeline)
    for (const row of rows) {
      const key = row["key"] as string
      this.#entries.set(key, new Entry(key, row["blobs"] !== 0, row["seconds"] as number, this.#outputsOf))
      keys.set(row["address"] as string, key)
    }
    this.#prefetched.set(pipeline, keys)
  }

  /** Enters an action; its document must be in the store. */
  record(action: Action): void {
    this.#prepare("insert or replace into actions values (?, ?, ?, ?, ?, ?)")
      .run(action.key, action.identity, action.uses, hasBlobs(action.outputs) ? 1 : 0, action.seconds, action.started)
    this.#prepare("insert or replace into outputs values (?, ?)").run(action.key, JSON.stringify(action.outputs))
    for (const [blob, base64] of Object.entries(action.inline)) this.#prepare("insert or ignore into inline values (?, ?)").run(blob, Buffer.from(base64, "base64"))
    if (action.trace !== undefined && action.staticKey !== undefined) {
      this.#prepare("insert or replace into traces values (?, ?, ?, ?)").run(action.staticKey, action.key, JSON.stringify(action.trace), action.started)
    }
  }

  /** Forgets an action whose outputs turned out lost or damaged; its document goes with the next result of that key. */
  forget(key: string): void {
    this.#entries.delete(key)
    this.batch(() => this.#prepare("delete from actions where key = ?").run(key))
  }

  /** Forgets actions for good, and small tables that only they had. */
  remove(keys: ReadonlyArray<string>, inline: ReadonlyArray<string>): void {
    this.batch(() => {
      this.#among(keys, ["delete from actions where key in gone", "delete from outputs where key in gone", "delete from traces where key in gone"])
      this.#among(inline, ["delete from inline where blob in gone"])
    })
    for (const key of keys) this.#entries.delete(key)
  }

  /** Runs statements that find the given names in a table `gone`. */
  #among(names: ReadonlyArray<string>, statements: ReadonlyArray<string>): void {
    this.#db.exec("create temp table gone (name text primary key) without rowid")
    const insert = this.#db.prepare("insert or ignore into gone values (?)")
    for (const name of names) insert.run(name)
    for (const sql of statements) this.#db.exec(sql)
    this.#db.exec("drop table gone")
  }

  /** Gives the space of what was removed back to the disk; for who has the cache alone. */
  shrink(): void {
    try {
      this.#db.exec("vacuum")
    } catch (cause) {
      // it takes as much room again for a moment; without it the space serves what is written next
      if (!/disk is full/i.test(String(cause))) throw cause
    }
    this.#db.exec("pragma wal_checkpoint(truncate)")
  }

  /** What is wrong with the tables, if anything: with the file, or where they say other things than the store. `told`: what they say of these is left out. `hasOutputs`: whether those are the outputs of a result in the store; `rowsOf`: the rows of a segment there. */
  *faults(told: ReadonlySet<string>, hasOutputs: (key: string, outputs: string) => boolean, rowsOf: (blob: string) => ReadonlyArray<Uint8Array> | undefined): Generator<string> {
    for (const row of this.#db.prepare("pragma quick_check(5)").all()) if (row["quick_check"] !== "ok") yield String(row["quick_check"])
    for (const { key, outputs } of this.#db.prepare("select a.key as key, o.outputs as outputs from actions a left join outputs o on o.key = a.key").iterate()) {
      if (!told.has(String(key)) && !hasOutputs(String(key), String(outputs))) yield `what it says of the result ${String(key)} is not what stands in the store`
    }
    for (const { blob, bytes } of this.#db.prepare("select blob, bytes from inline").iterate()) {
      if (digestBytes(bytes as Uint8Array) !== blob) yield `the small table ${String(blob)} in it is not what it was`
    }
    const places = this.#db.prepare("select key, position from rows where segment = ?")
    for (const { blob, id } of this.#db.prepare("select id, blob from segments").all()) {
      if (told.has(String(blob))) continue
      const rows = rowsOf(String(blob))
      let misplaced = 0
      if (rows === undefined) yield `it names the segment ${String(blob)}, which is not there`
      else for (const { key, position } of places.iterate(id as number)) if (Buffer.compare(rows[Number(position)] ?? Buffer.alloc(0), key as Uint8Array) !== 0) misplaced++
      if (misplaced > 0) yield `${misplaced} embedded rows are not where it says in the segment ${String(blob)}`
    }
    const strays = Number(this.#db.prepare("select count(*) as n from rows where segment not in (select id from segments)").get()!["n"])
    if (strays > 0) yield `${strays} embedded rows in it are of no segment`
  }

  inline(blob: string): Uint8Array | undefined {
    const row = this.#prepare("select bytes from inline where blob = ?").get(blob)
    return row === undefined ? undefined : row["bytes"] as Uint8Array
  }

  /** What ingest met in earlier runs of the same static key, newest first; each is read when it is come to, for it may be large. */
  *traces(staticKey: string): Generator<{ readonly key: string; readonly trace: Trace }> {
    for (const { key } of this.#prepare("select key from traces where static_key = ? order by at desc limit 32").all(staticKey)) {
      const row = this.#prepare("select trace from traces where static_key = ? and key = ?").get(staticKey, key as string)
      if (row !== undefined) yield { key: String(key), trace: JSON.parse(String(row["trace"])) as Trace }
    }
  }

  /** The newest action that was asked to do the same. */
  byIdentity(identity: string): { readonly key: string; readonly seconds: number } | undefined {
    const row = this.#prepare("select key, seconds from actions where identity = ? order by at desc limit 1").get(identity)
    return row === undefined ? undefined : { key: String(row["key"]), seconds: Number(row["seconds"]) }
  }

  /** The newest keys of an implementation: candidates for "the nearest earlier result". */
  recent(uses: string, limit: number): Array<string> {
    return this.#prepare("select key from actions where uses = ? order by at desc limit ?").all(uses, limit).map((row) => String(row["key"]))
  }

  /** Mean seconds of an implementation's recent actions; for prices of plans. */
  meanSeconds(uses: string): number | undefined {
    const row = this.#prepare("select avg(seconds) as mean from (select seconds from actions where uses = ? order by at desc limit 200)").get(uses)
    return row === undefined || row["mean"] === null ? undefined : Number(row["mean"])
  }

  /** Where a cached row of an embedding lies. */
  row(key: Uint8Array): RowPlace | undefined {
    const row = this.#prepare("select s.blob as blob, r.position as position from rows r join segments s on s.id = r.segment where r.key = ?").get(key)
    return row === undefined ? undefined : { segment: String(row["blob"]), position: Number(row["position"]) }
  }

  /** Enters the rows of a segment that is in the store. A row that is known stays where it is: what is imported takes no place of this cache's own. */
  addSegment(blob: string, keys: ReadonlyArray<Uint8Array>): void {
    this.batch(() => {
      this.#prepare("insert or ignore into segments (blob) values (?)").run(blob)
      const id = Number(this.#prepare("select id from segments where blob = ?").get(blob)!["id"])
      const insert = this.#prepare("insert into rows values (?, ?, ?) on conflict (key) do update set segment = excluded.segment, position = excluded.position where rows.segment not in (select id from segments)")
      keys.forEach((key, position) => insert.run(key, id, position))
    })
  }

  /** Forgets the rows of segments that are lost, damaged or removed. */
  dropSegments(blobs: ReadonlyArray<string>): void {
    this.batch(() => this.#among(blobs, ["delete from rows where segment in (select id from segments where blob in gone)", "delete from segments where blob in gone"]))
  }

  file(path: string): Known | undefined {
    const row = this.#prints("select size, mtime, ctime, inode, seen, digest from files where path = ?").get(path)
    return row === undefined ? undefined : knownIn(row as unknown as FileRow)
  }

  /** What is known of all files whose paths lie from `first` to `last`, in byte order. */
  *filesBetween(first: string, last: string): Generator<readonly [path: string, known: Known]> {
    const statement = this.#prints("select size, mtime, ctime, inode, seen, digest, path from files where path between ? and ?")
    for (const row of statement.iterate(first, last)) {
      const found = row as unknown as FileRow
      yield [found[6], knownIn(found)]
    }
  }

  /** A statement that gives rows of files; as arrays, which are made in half the time of objects. */
  #prints(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#prepare(sql)
      statement.setReadBigInts(true)
      statement.setReturnArrays(true)
    }
    return statement
  }

  putFile(path: string, print: { size: bigint; mtime: bigint; ctime: bigint; inode: bigint; seen: bigint }, digest: string): void {
    this.#prepare("insert or replace into files values (?, ?, ?, ?, ?, ?, ?)").run(path, print.size, print.mtime, print.ctime, print.inode, print.seen, digest)
  }

  closure(entry: string): { readonly inputs: string; readonly closure: string } | undefined {
    const row = this.#prepare("select inputs, closure from closures where entry = ?").get(entry)
    return row === undefined ? undefined : { inputs: String(row["inputs"]), closure: String(row["closure"]) }
  }

  putClosure(entry: string, inputs: string, closure: string): void {
    this.#prepare("insert or replace into closures values (?, ?, ?)").run(entry, inputs, closure)
  }

  /** Which key each node of a pipeline had when it was last run, and which one before that. */
  addresses(pipeline: string): Map<string, { readonly key: string; readonly previous: string | undefined }> {
    return new Map(this.#prepare("select address, key, previous from addresses where pipeline = ?").all(pipeline).map((row) =>
      [String(row["address"]), { key: String(row["key"]), previous: row["previous"] === null ? undefined : String(row["previous"]) }]))
  }

  /** The same of one node. */
  address(pipeline: string, address: string): { readonly key: string; readonly previous: string | undefined } | undefined {
    const row = this.#prepare("select key, previous from addresses where pipeline = ? and address = ?").get(pipeline, address)
    return row === undefined ? undefined : { key: String(row["key"]), previous: row["previous"] === null ? undefined : String(row["previous"]) }
  }

  /** Whether anything is known of a pipeline's nodes. */
  knows(pipeline: string): boolean {
    return this.#prepare("select 1 from addresses where pipeline = ? limit 1").get(pipeline) !== undefined
  }

  /** Enters the keys that nodes have now; a key that changed becomes the previous one. */
  putAddresses(pipeline: string, keys: Iterable<readonly [address: string, key: string]>): void {
    const prefetched = this.#prefetched.get(pipeline)
    const news = [...keys].filter(([address, key]) => (prefetched === undefined ? this.address(pipeline, address)?.key : prefetched.get(address)) !== key)
    if (news.length === 0) return
    // read within the transaction: another run may have ended meanwhile
    this.batch(() => {
      const known = this.addresses(pipeline)
      const insert = this.#prepare("insert or replace into addresses values (?, ?, ?, ?)")
      for (const [address, key] of news) {
        const before = known.get(address)?.key
        if (before !== key) insert.run(pipeline, address, key, before ?? null)
      }
    })
  }

  close(): void {
    this.#db.close()
  }
}
