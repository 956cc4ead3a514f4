/**
 * The code that a replay of an export runs. Built-in stages are those of this installation; whether they are the exported ones is told by
 * their digests. Stages of the author's own are in the export only, and run from there when that was allowed.
 */
import * as fs from "node:fs"
import { join } from "node:path"
import type { Cache } from "../../cache/cache.ts"
import { canonical, type Document } from "../../cache/canonical.ts"
import { digestBytes } from "../../cache/store.ts"
import { closureOf } from "../../engine/closure-text.ts"
import { isCommand } from "../../engine/command.ts"
import type { Grid } from "../../engine/expand.ts"
import { type Implementation, Library } from "../../engine/library.ts"
import { differences } from "../../engine/why.ts"
import { NotTrusted, type Opened } from "./crate.ts"
import type { NodeRecord } from "./record.ts"

/** The code's part of a recorded key. */
export const codeOf = ({ preimage }: NodeRecord): Document | undefined => (preimage as { readonly code?: Document } | null)?.code

/** The stages of an export whose code comes with it: files of the author's, and programs. */
export const ownCode = ({ nodes }: Opened): ReadonlyArray<string> => {
  const builtIn = new Set(new Library().names())
  return [...new Set(nodes.filter(({ uses }) => !builtIn.has(uses)).map(({ uses }) => uses))]
}

/** A library that finds the author's own stages in an export, and built-ins where outcrop is installed. */
export class ExportedLibrary extends Library {
  readonly #files = new Map<string, string>()

  /** Writes the exported closures into the cache, where the library looks for those that it made itself. Throws `NotTrusted`. */
  constructor(cache: Cache, opened: Opened) {
    super(cache.index, cache.store.root)
    const closures = join(cache.store.root, "closures"), own = new Set(ownCode(opened))
    fs.mkdirSync(closures, { recursive: true })
    for (const record of opened.nodes) {
      if (!own.has(record.uses) || isCommand(record.uses) || record.code === null || this.#files.has(record.uses)) continue
      const text = opened.read(record.code), code = codeOf(record) as { readonly packages?: object } | undefined, digest = digestBytes(text)
      if (digest !== closureOf(code as Document)) throw new NotTrusted(`${join(opened.folder, record.code)} is not the code that nodes.json says made ${record.address}`)
      const file = join(closures, `${digest}.mjs`)
      fs.writeFileSync(file, text)
      // no files that it was bundled of: none that could have changed
      cache.index.putClosure(file, "{}", JSON.stringify({ digest, packages: Object.keys(code?.packages ?? {}) }))
      this.#files.set(record.uses, file)
    }
  }

  /** Rejects with `NotTrusted` where the YAML names code that nodes.json does not tell of: it was not asked about. */
  override async find(uses: string, folder: string): Promise<Implementation> {
    const file = this.#files.get(uses)
    if (file !== undefined) return { ...await super.find(file, folder), uses }
    if (!this.names().includes(uses) && /[.]|^[/]/.test(uses)) throw new NotTrusted(`the pipeline uses ${uses}, the code of which is not in the export`)
    return super.find(uses, folder)
  }
}

export interface CodeDifference {
  readonly uses: string
  readonly parts: ReadonlyArray<string>
}

/** The implementations whose code is not that of the record. */
export const codeDifferences = (grid: Grid, recordOf: (node: number) => NodeRecord | undefined): Array<CodeDifference> => {
  const found = new Map<string, ReadonlyArray<string>>()
  for (const { implementation: { code, uses }, index } of grid.nodes) {
    const record = recordOf(index), before = record === undefined ? undefined : codeOf(record)
    if (before === undefined || found.has(uses) || canonical(before) === canonical(code)) continue
    const show = (value: Document) => typeof value === "string" ? /^[0-9a-f]{64}$/.test(value) ? value.slice(0, 12) : value : JSON.stringify(value)
    found.set(uses, differences(before, code).map(({ after, before, part }) => `${part} ${show(before)} -> ${show(after)}`))
  }
  return Array.from(found, ([uses, parts]) => ({ uses, parts }))
}

/**
 * The record of each node of a grid, found through the cells that both have: a pipeline that expands otherwise than it did is noticed.
 * Throws `NotTrusted`.
 */
export const recordsOf = (grid: Grid, { folder, lineage, nodes }: Opened, cellOf: (values: Readonly<Record<string, string>>) => number | undefined): Map<number, NodeRecord> => {
  const records = new Map<number, number>()
  const { axes, cells, codes, of } = lineage
  for (let cell = 0; cell < cells; cell++) {
    const values = Object.fromEntries(axes.flatMap(({ labels, name }, i) => {
      const label = labels[codes[cell * axes.length + i]!]
      return label === undefined ? [] : [[name, label]]
    }))
    const own = cellOf(values)
    if (own === undefined) throw new NotTrusted(`${folder}: lineage.json tells of a cell ${JSON.stringify(values)} that the pipeline does not have`)
    for (const [stage, byCell] of Object.entries(of)) {
      const record = byCell[cell]
      if (!grid.stages.includes(stage) || record === undefined || nodes[record] === undefined) throw new NotTrusted(`${folder}: lineage.json tells of a stage ${stage} that the pipeline does not have`)
      const { index } = grid.nodeOf(stage, own), known = records.get(index)
      if (known !== undefined && known !== record) throw new NotTrusted(`${folder}: this outcrop takes ${nodes[known]!.address} and ${nodes[record]!.address} for one node, the one that wrote the export did not; replay with that version`)
      records.set(index, record)
    }
  }
  return new Map(Array.from(records, ([node, record]) => [node, nodes[record]!]))
}
