/**
 * Is this work done? One look-up serves `run`, `plan`, `status` and `why`, so that what they say cannot drift apart.
 * An ingest stage finds its files while it runs, so its look-up has two steps: the part known before gives the traces of earlier runs,
 * and a trace counts if everything in it is still true.
 */
import { join } from "node:path"
import type { Output, Trace } from "../cache/action.ts"
import type { Document } from "../cache/canonical.ts"
import { fileDigest } from "../cache/fingerprint.ts"
import type { Entry, Index } from "../cache/index.ts"
import type { Grid, Node } from "./expand.ts"
import { observer } from "./files.ts"
import { packageVersion } from "./installation.ts"
import { keyOf, MissingColumn, preimageOf, staticKeyOf } from "./key.ts"

export interface Found {
  readonly done: true
  readonly entry: Entry
}
export interface Missing {
  readonly done: false
  /** The document that the key is of; for ingest without the files, which are found while it runs. */
  readonly preimage: Readonly<Record<string, Document>>
  /** `undefined` for ingest stages. */
  readonly key: string | undefined
  readonly staticKey: string | undefined
  readonly files: Readonly<Record<string, string>>
  readonly backend: string | undefined
}
/** The work cannot even be asked for: a file that a parameter names, or a column that a port reads, is not there. */
export interface Impossible {
  readonly done: "never"
  readonly message: string
}

export interface LookupOptions {
  readonly grid: Grid
  readonly index: Index
  /** Distrust file fingerprints. */
  readonly rehash: boolean
  /** The numeric engine asked for. */
  readonly backend: string | undefined
}

const packagesOf: Readonly<Record<string, ReadonlyArray<string>>> = {
  onnx: ["onnxruntime-node"],
  tfjs: ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"]
}

/** A look-up for the nodes of one grid; remembers what it saw on disk for as long as it lives. */
export const lookup = ({ backend, grid, index, rehash }: LookupOptions) => {
  const { flush, look, prepare } = observer(index, grid.dataRoot, rehash)
  const holds = (trace: Trace): boolean => {
    prepare(trace)
    try {
      for (const path in trace) if (look(path) !== trace[path]) return false
      return true
    } finally {
      flush()
    }
  }
  const parameterFiles = new Map<string, string | undefined>()
  const backendOf = (node: Node): string | undefined => {
    const backends = node.implementation.stage.backends(node.parameters)
    const name = backend !== undefined && backends.includes(backend) ? backend : backends[0]
    if (name === undefined) return undefined
    const installed = (packagesOf[name] ?? []).find((candidate) => packageVersion(candidate) !== undefined)
    return installed === undefined ? name : `${name} ${installed} ${packageVersion(installed)}`
  }
  /** The files that a node's parameters name, each with its digest; ingest stages look for theirs themselves. */
  const filesOf = (node: Node): ReadonlyArray<{ readonly name: string; readonly path: string; readonly digest: string | undefined }> => {
    const { fileParameters, stage } = node.implementation
    return stage.kind === "ingest" ? [] : fileParameters.flatMap((name) => {
      const path = (node.parameters as Readonly<Record<string, unknown>>)[name]
      if (typeof path !== "string") return []
      if (!parameterFiles.has(path)) parameterFiles.set(path, fileDigest(index, join(grid.dataRoot, path), rehash))
      return [{ name, path, digest: parameterFiles.get(path) }]
    })
  }
  /** What is wrong with the files that a node's parameters name, if anything; known before its inputs are. */
  const missingFile = (node: Node): string | undefined => {
    const missing = filesOf(node).find(({ digest }) => digest === undefined)
    return missing === undefined ? undefined : `there is no file ${missing.path} below the data root ${grid.dataRoot} (parameter "${missing.name}")`
  }
  /** Looks a node up, given what its upstream nodes gave. `force`: as if it had never been done. */
  const find = (node: Node, outputOf: (node: number, output: string) => Output, force = false): Found | Missing | Impossible => {
    const { stage } = node.implementation
    const ingest = stage.kind === "ingest"
    const files: Record<string, string> = {}, allowed: Record<string, string> = Object.create(null)
    for (const { digest, name, path } of filesOf(node)) {
      if (digest === undefined) return { done: "never", message: missingFile(node)! }
      files[name] = digest
      allowed[path] = digest
    }
    const engine = backendOf(node)
    let preimage: Readonly<Record<string, Document>>
    try {
      preimage = preimageOf(node, { backend: engine, files, outputOf })
    } catch (cause) {
      if (cause instanceof MissingColumn) return { done: "never", message: cause.message }
      throw cause
    }
    if (ingest) {
      const staticKey = staticKeyOf(preimage)
      if (!force) {
        for (const { key, trace } of index.traces(staticKey)) {
          if (!holds(trace)) continue
          const entry = index.entry(key)
          if (entry !== undefined) return { done: true, entry }
        }
      }
      return { done: false, preimage, key: undefined, staticKey, files: allowed, backend: engine }
    }
    const key = keyOf(preimage)
    const entry = force ? undefined : index.entry(key)
    return entry !== undefined ? { done: true, entry } : { done: false, preimage, key, staticKey: undefined, files: allowed, backend: engine }
  }
  return { find, missingFile }
}
