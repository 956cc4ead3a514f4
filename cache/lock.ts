/**
 * Who uses a cache: any number of commands at once, or one alone that takes things away. So nothing is lost between the look-up of a result
 * and its use. The lock is the operating system's, through an empty SQLite file: it ends with its process, however that ends, and no stale one
 * is ever left.
 */
import * as fs from "node:fs"
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

const fileOf = (root: string): string => join(root, "lock.sqlite")
const opened = (root: string): DatabaseSync => new DatabaseSync(fileOf(root))
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

/** A process that uses a cache. */
export interface User {
  readonly pid: number
  /** What was typed. */
  readonly command: string
}

const commandOf = (pid: number): string => {
  const words = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1), own = words.findIndex((word) => word.endsWith("outcrop-cli.js"))
  return own < 0 ? words.join(" ") : ["outcrop", ...words.slice(own + 1)].join(" ")
}

/** The processes that use a cache now, as far as the system tells; Linux does. */
export const users = (root: string): ReadonlyArray<User> => {
  try {
    const file = `:${fs.statSync(fileOf(root)).ino}`
    // "2: POSIX ADVISORY READ 4711 fe:00:16039945 1073741826 1073742335"
    const locks = fs.readFileSync("/proc/locks", "utf8").split("\n").map((line) => line.split(/\s+/))
    return [...new Set(locks.flatMap((lock) => lock[5]?.endsWith(file) === true ? [Number(lock[4])] : []))].map((pid) => ({ pid, command: commandOf(pid) }))
  } catch {
    // another system, or one of them has just ended
    return []
  }
}
