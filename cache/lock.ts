/**
 * Who uses a cache: any number of commands at once, or one alone that takes things away. So nothing is lost between the look-up of a result
 * and its use. The lock is the operating system's, through an empty SQLite file: it ends with its process, however that ends, and no stale one
 * is ever left.
 */
import { join, resolve } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { CacheError } from "./error.ts"

export interface Lock {
  readonly release: () => void
}

/** Milliseconds to wait for a command that takes things away; it is alone for seconds. */
const patience = 60_000

/** Folders that this process has for itself. */
const claimed = new Set<string>()

const opened = (root: string): DatabaseSync => new DatabaseSync(join(root, "lock.sqlite"))
const isBusy = (cause: unknown) => /database is locked/i.test(String(cause))

/** Uses a cache beside others. Waits while one has it alone; throws `CacheError` where that takes over a minute. */
export const share = (root: string): Lock => {
  if (claimed.has(resolve(root))) return { release: () => {} }
  let db: DatabaseSync
  try {
    db = opened(root)
  } catch {
    // nobody can write here, so nobody can take anything away
    return { release: () => {} }
  }
  try {
    // a transaction that has read holds SQLite's shared lock until it ends
    db.exec(`pragma busy_timeout = ${patience}; begin; select count(*) from sqlite_master`)
  } catch (cause) {
    db.close()
    if (!isBusy(cause)) throw cause
    throw new CacheError({ path: root, message: `"gc" or "verify --repair" is at work in the cache at ${root}: run again when it has ended` })
  }
  return { release: () => db.isOpen && db.close() }
}

/** Takes a cache for this process alone; `undefined` where others use it. Whatever this process opens there meanwhile is let in. */
export const claim = (root: string): Lock | undefined => {
  const db = opened(root)
  try {
    // nothing is ever written: a full disk is no obstacle
    db.exec("pragma busy_timeout = 0; pragma journal_mode = memory; begin exclusive")
  } catch (cause) {
    db.close()
    if (isBusy(cause)) return undefined
    throw cause
  }
  claimed.add(resolve(root))
  return {
    release: () => {
      claimed.delete(resolve(root))
      if (db.isOpen) db.close()
    }
  }
}
