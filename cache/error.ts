import * as Data from "effect/Data"

/** The cache cannot be read or written: what happened, where, and what to do. Nothing is lost by it: what was kept stays kept. */
export class CacheError extends Data.TaggedError("CacheError")<{ readonly path: string; readonly message: string }> {}

/** Bytes in the cache are not what they were when they were written (a disk error, a power cut, an editor). */
export class Corrupt extends Data.TaggedError("Corrupt")<{ readonly path: string; readonly digest: string; readonly message: string }> {}

const advice: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: free some space and run again (\"outcrop gc --dry-run\" says what the cache could do without), or point --cache (OUTCROP_CACHE) at another disk",
  EDQUOT: "the disk quota is used up: free some space and run again, or point --cache (OUTCROP_CACHE) elsewhere",
  EROFS: "it is read-only: point --cache (OUTCROP_CACHE) at a folder that can be written; \"outcrop import\" brings its results there",
  EACCES: "permission is denied: point --cache (OUTCROP_CACHE) at a folder that you can write",
  EPERM: "permission is denied: point --cache (OUTCROP_CACHE) at a folder that you can write",
  EMFILE: "too many files are open: raise the limit (ulimit -n)",
  ENOTDIR: "a file stands where a folder is expected"
}

/** What SQLite says of the same refusals. */
const codes: ReadonlyArray<readonly [RegExp, string]> = [[/database or disk is full/i, "ENOSPC"], [/readonly database/i, "EROFS"], [/unable to open database file/i, "EACCES"]]

/** Runs file operations on the cache; what the system refuses becomes a `CacheError` with advice. */
export const guarded = <A>(path: string, body: () => A): A => {
  try {
    return body()
  } catch (cause) {
    if (cause instanceof Corrupt || cause instanceof CacheError) throw cause
    const { code: given, message } = cause as NodeJS.ErrnoException
    const code = codes.find(([pattern]) => pattern.test(message))?.[1] ?? given
    throw new CacheError({ path, message: `cannot write the cache at ${path}: ${(code !== undefined ? advice[code] : undefined) ?? message}. What was finished before is kept` })
  }
}
