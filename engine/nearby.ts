/** What lies in a folder and in those directly under it, for a message about what was not found. */
import * as fs from "node:fs"
import { join } from "node:path"
import { isCache } from "../cache/cache.ts"

/** Many enough to choose from. */
const most = 8

/** Names of a folder; none where it cannot be read. */
const namesIn = (folder: string): ReadonlyArray<fs.Dirent> => {
  try {
    return fs.readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => a.name < b.name ? -1 : 1)
  } catch {
    return []
  }
}

const foldersAround = (folder: string): ReadonlyArray<string> =>
  [folder, ...namesIn(folder).filter((entry) => entry.isDirectory() && !/^\.|^node_modules$/.test(entry.name)).map(({ name }) => join(folder, name))]

const hasStages = (file: string): boolean => {
  try {
    return /^stages:/m.test(fs.readFileSync(file, "utf8"))
  } catch {
    return false
  }
}

/** `; there are a.yaml, pipelines/b.yaml`, the pipelines around a folder; nothing where there is none. */
export const pipelinesNear = (folder: string): string => {
  const files = foldersAround(folder).flatMap((each) => namesIn(each).filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name)).map(({ name }) => join(each, name))).filter(hasStages)
  return files.length === 0 ? "" : `; there ${files.length === 1 ? "is" : "are"} ${files.slice(0, most).join(", ")}${files.length > most ? ` and ${files.length - most} more` : ""}`
}

/** `; there is one at pipelines/.outcrop`, the caches around a folder; nothing where there is none. */
export const cachesNear = (folder: string): string => {
  const caches = foldersAround(folder).map((each) => join(each, ".outcrop")).filter(isCache)
  return caches.length === 0 ? "" : `; there ${caches.length === 1 ? "is one" : "are some"} at ${caches.slice(0, most).join(", ")}`
}
