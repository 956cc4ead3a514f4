/**
 * The key of a node: what its result depends on. A canonical document, kept whole with the result, that covers code, parameters, the
 * content of the rows and columns it reads, and the numeric engine. Paths, host, time, thread count, and the names of pipeline and stages
 * are not in it.
 */
import type { Output, Trace } from "../cache/action.ts"
import { type Document, digestOf, settle } from "../cache/canonical.ts"
import type { Node } from "./expand.ts"

/** A column that a stage reads is not in the table that it is bound to. */
export class MissingColumn extends Error {}

/** The columns of a bound table that a node reads: the declared ones, and the open ones its parameters name. */
export const columnsRead = (node: Node, port: string, output: Output): Array<string> => {
  const { columns, open, table } = node.implementation.stage.needs[port]!
  const names = table.name === "any" ? Object.keys(output.columns) : [
    ...columns,
    ...(open === "all" ? Object.keys(output.columns).filter((name) => !(name in table.columns)) : open(node.parameters as never))
  ]
  for (const name of names) {
    if (!(name in output.columns)) throw new MissingColumn(`the port "${port}" has no column "${name}"; it has ${Object.keys(output.columns).join(", ")}`)
  }
  return names
}

/** Metadata that belongs to the columns read: a vocabulary stands under its column's name. */
const metadataRead = (output: Output, names: ReadonlyArray<string>, open: boolean): Readonly<Record<string, string>> =>
  open ? Object.fromEntries(Object.entries(output.metadata).filter(([name]) => names.includes(name))) : output.metadata

/** Many nodes read the same columns of the same output: one document serves them all. */
const portDocuments = new WeakMap<Output, Map<string, Document>>()
const portDocument = (output: Output, names: ReadonlyArray<string>, open: boolean): Document => {
  let known = portDocuments.get(output)
  if (known === undefined) {
    known = new Map()
    portDocuments.set(output, known)
  }
  const id = names.join("\0")
  let document = known.get(id)
  if (document === undefined) {
    document = settle({
      table: output.table,
      rows: output.rows,
      columns: Object.fromEntries(names.map((name) => [name, output.columns[name]!.digest])),
      metadata: metadataRead(output, names, open)
    })
    known.set(id, document)
  }
  return document
}

export interface KeyParts {
  readonly backend: string | undefined
  /** Digests of the files that parameters name, by parameter. */
  readonly files: Readonly<Record<string, string>>
  readonly outputOf: (node: number, output: string) => Output
}

/** The document whose digest is the key. Throws `MissingColumn`. */
export const preimageOf = (node: Node, { backend, files, outputOf }: KeyParts): Readonly<Record<string, Document>> => {
  const { stage, code } = node.implementation
  const parameters = node.parameters as Readonly<Record<string, Document>>
  const ports = Object.fromEntries(Object.entries(stage.needs).flatMap(([port, { optional, table, when }]): Array<readonly [string, Document]> => {
    const binding = node.bindings.find((candidate) => candidate.port === port)
    if (binding === undefined) return optional && when(node.parameters as never) ? [[port, null]] : []
    const output = outputOf(binding.node, binding.output)
    return [[port, portDocument(output, columnsRead(node, port, output), table.open || table.name === "any")]]
  }))
  return {
    stage: stage.name,
    version: stage.version,
    code,
    with: Object.keys(files).length === 0 ? parameters : { ...parameters, ...Object.fromEntries(Object.entries(files).map(([name, digest]) => [name, { file: digest }])) },
    ports,
    ...(backend === undefined ? {} : { backend })
  }
}

/** The key of a pre-image. */
export const keyOf = (preimage: Document): string => digestOf("key", preimage)
/** The key of the part that is known before an ingest stage has looked at the files. */
export const staticKeyOf = (preimage: Document): string => digestOf("static", preimage)
/** The pre-image of an ingest result: the static part, and every file, folder and absence that it met. */
export const withTrace = (preimage: Readonly<Record<string, Document>>, trace: Trace): Readonly<Record<string, Document>> => ({ ...preimage, files: trace })
