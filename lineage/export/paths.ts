/** Names of files in an export. */
import { hash } from "node:crypto"
import { posix } from "node:path"
import { type Graph, valuesOf } from "../../engine/graph.ts"

/** A name of the user's as the name of one file: what a file system could not hold is written as %XX, what is too long is cut and told apart by its digest. */
const segment = (name: string): string => {
  const safe = encodeURIComponent(name.normalize("NFC")).replaceAll("*", "%2A").replace(/^\.+$/, (dots) => dots.replaceAll(".", "%2E"))
  return safe.length <= 80 ? safe : `${safe.slice(0, 60)}-${hash("sha256", name, "hex").slice(0, 12)}`
}

/**
 * The folder of each node's tables: `probe/method=dtl/fold=0`, the layout that DuckDB, Spark and pyarrow read as columns `method` and `fold`
 * ("hive" partitions). Two nodes that would share one get their number.
 */
export const nodeFolders = (graph: Graph): Array<string> => {
  const cellOf = new Map<number, number>()
  for (const nodes of Object.values(graph.of)) nodes.forEach((node, cell) => cellOf.has(node) || cellOf.set(node, cell))
  const taken = new Set<string>()
  return graph.nodes.map(({ address, stage }, i) => {
    const values = Object.entries(valuesOf(graph, cellOf.get(i)!)).filter(([axis, label]) => ` ${address} `.includes(` ${axis}=${label} `))
    const folder = ["tables", stage, ...values.map(([axis, label]) => `${axis}=${segment(label)}`)].join("/")
    const own = taken.has(folder.toLowerCase()) ? `${folder}/node=${i}` : folder
    taken.add(own.toLowerCase())
    return own
  })
}

/** The file of a closure: `code/train/triplet.0123456789ab.mjs`; two versions of a stage have two files. */
export const codePath = (stage: string, digest: string): string => `code/${stage.split("/").map(segment).join("/")}.${digest.slice(0, 12)}.mjs`

/** Whether a path stays below the folder that it is relative to, written plainly: no "..", no ".", no "//", no back-slash, not absolute. */
export const isInside = (path: string): boolean =>
  path !== "" && !/[\\\0]/.test(path) && !path.startsWith("/") && !/^[a-z]:/i.test(path) && posix.normalize(path) === path && path !== "." && !path.endsWith("/") && path.split("/").every((part) => part !== "..")

/** A path as the `@id` of an RO-Crate: a URI, with "/" as it is. */
export const uriOf = (path: string): string => path.split("/").map((part) => encodeURIComponent(part).replaceAll("%3D", "=")).join("/")
