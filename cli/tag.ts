/** `outcrop tag NAME`: gives what the picked cells, or a run, came to a name under which the cache keeps it. */
import * as Effect from "effect/Effect"
import { type Tag, putTag, tagAt, tags, isTagName } from "../cache/tags.ts"
import { putGraph } from "../engine/history.ts"
import { suggest } from "../schemas/spelling.ts"
import { textTable } from "../report/terminal.ts"
import { userError } from "./error.ts"
import { keysOf } from "./records.ts"
import { existingCache } from "./existing.ts"
import { expected, openScope } from "./scope.ts"
import type { SessionFlags } from "./session.ts"
import { readWords } from "./words.ts"

export interface TagFlags extends SessionFlags {
  readonly words: ReadonlyArray<string>
  readonly run: string | undefined
  readonly list: boolean
  readonly delete: string | undefined
  readonly json: boolean
}

const dateOf = (time: string) => `${time.slice(0, 16).replace("T", " ")} UTC`

export const tagCommand = Effect.fn("cli/tag")(function*(flags: TagFlags) {
  const words = readWords(flags.words), [name, ...rest] = words.names
  if (flags.list || flags.delete !== undefined) {
    const { index, store } = yield* Effect.try({ try: () => existingCache(flags, words.file), catch: expected })
    const known = tags(store)
    if (flags.delete !== undefined) {
      const all = [...known.tags.map((tag) => tag.name), ...known.unreadable]
      if (!all.includes(flags.delete)) return yield* userError(`there is no tag "${flags.delete}"${suggest(flags.delete, all)}${all.length === 0 ? "" : `; there are ${all.join(", ")}`}`)
      yield* Effect.try({ try: () => store.remove("tags", flags.delete!), catch: expected })
      if (flags.json) console.log(JSON.stringify({ version: 1, deleted: flags.delete }))
      else console.log(`deleted the tag ${flags.delete}; what only it kept goes with the next "outcrop gc"`)
      return
    }
    const there = ({ keys }: Tag) => keys.filter((key) => index.entry(key) !== undefined).length
    if (flags.json) console.log(JSON.stringify({ version: 1, tags: known.tags.map((tag) => ({ name: tag.name, made: tag.made, asked: tag.asked, graph: tag.graph, results: tag.keys.length, there: there(tag) })), unreadable: known.unreadable }))
    else if (known.tags.length + known.unreadable.length === 0) console.log("no tags yet: \"outcrop tag NAME\" names what the pipeline has now")
    else {
      console.log(textTable(["tag", ">results", "made", "by"], known.tags.map((tag) => {
        const count = there(tag)
        return [tag.name, count === tag.keys.length ? String(count) : `${count} of ${tag.keys.length}`, dateOf(tag.made), `outcrop ${tag.asked.join(" ")}`]
      })))
      for (const each of known.unreadable) console.error(`the tag ${each} is damaged: "outcrop verify" says more`)
    }
    return
  }
  if (name === undefined) return yield* userError("name the tag: outcrop tag NAME [pipeline.yaml] [axis=value]; --list shows those that are there")
  if (rest.length > 0) return yield* userError(`one name a tag, got ${words.names.join(", ")}; cells are picked with axis=value`)
  if (!isTagName(name)) return yield* userError(`"${name}" cannot name a tag: letters, digits, ".", "-" and "_", a letter or digit first`)
  const { cache, graph, name: of } = yield* openScope(words, flags, flags.run)
  const before = tagAt(cache.store, name)
  if (before !== undefined) return yield* userError(`there is a tag "${name}" of ${dateOf(before.made)} already: choose another name, or remove it first (outcrop tag --delete ${name})`)
  const keys = keysOf(graph).filter((key) => cache.index.entry(key) !== undefined)
  if (keys.length === 0) return yield* userError(`nothing to tag: ${of} has no results yet`)
  const made = new Date().toISOString()
  yield* Effect.try({ try: () => putTag(cache.store, { name, made, asked: process.argv.slice(2), graph: putGraph(cache, graph), keys }), catch: expected })
  const asked = new Set(Object.values(graph.of).flat()), missing = [...asked].filter((node) => graph.nodes[node]!.key === null || !keys.includes(graph.nodes[node]!.key!)).length
  if (flags.json) console.log(JSON.stringify({ version: 1, name, made, results: keys.length, missing }))
  else {
    console.log(`tagged ${name}: ${keys.length} ${keys.length === 1 ? "result" : "results"} of ${graph.cells} ${graph.cells === 1 ? "cell" : "cells"} of ${of}`)
    if (missing > 0) console.error(`${missing} of its ${asked.size} nodes have no result yet, and are not in the tag`)
  }
})
