/** The cache that is there: a command that reads results, or removes them, makes none. */
import { dirname } from "node:path"
import { type Cache, isCache, openCache } from "../cache/cache.ts"
import { cachesNear } from "../engine/nearby.ts"
import { userError } from "./error.ts"
import { cacheFolder, type SessionFlags } from "./session.ts"

/** Its folder. Throws `CommandError` where there is none. */
export const existingFolder = (flags: Pick<SessionFlags, "cache">, file: string): string => {
  const folder = cacheFolder(flags, file)
  if (isCache(folder)) return folder
  throw userError(`there is no cache at ${folder}: name it with --cache, or the pipeline that it lies beside${cachesNear(dirname(file))}`)
}

/** Opens it. Throws `CommandError`, `CacheError`. */
export const existingCache = (flags: Pick<SessionFlags, "cache">, file: string): Cache => openCache(existingFolder(flags, file))
