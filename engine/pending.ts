/** Nodes that wait for a worker: upstream stages go first, and siblings are found without a search. */

/** First in, first out; taking from the front of a long array would move all the rest. */
class Line<A> {
  #items: Array<A | undefined> = []
  #head = 0

  get first(): A | undefined {
    return this.#items[this.#head]
  }

  push(item: A): void {
    this.#items.push(item)
  }

  unshift(item: A): void {
    if (this.#head > 0) this.#items[--this.#head] = item
    else this.#items.unshift(item)
  }

  shift(): A | undefined {
    const item = this.#items[this.#head]
    this.#items[this.#head] = undefined
    if (this.#head < this.#items.length) this.#head++
    if (this.#head >= 1024 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }
}

interface Group<A> {
  readonly name: string | undefined
  readonly line: Line<A>
}

/** What waits, stage by stage. Items of one `group` are siblings; `undefined`: an item has none. */
export class Pending<A extends { readonly group: string | undefined }> {
  readonly #stages: ReadonlyArray<Line<Group<A>>>
  readonly #groups = new Map<string, Group<A>>()

  constructor(stages: number) {
    this.#stages = Array.from({ length: stages }, () => new Line<Group<A>>())
  }

  add(stage: number, item: A): void {
    const name = item.group === undefined ? undefined : `${stage} ${item.group}`
    const known = name === undefined ? undefined : this.#groups.get(name)
    const group = known ?? { name, line: new Line<A>() }
    group.line.push(item)
    if (known !== undefined) return
    this.#stages[stage]!.push(group)
    if (name !== undefined) this.#groups.set(name, group)
  }

  /** Puts an item before all others of its stage, alone. */
  again(stage: number, item: A): void {
    const group: Group<A> = { name: undefined, line: new Line() }
    group.line.push(item)
    this.#stages[stage]!.unshift(group)
  }

  /** Takes the first item of the first stage that has one; `sibling` takes another of its group. */
  next(): { readonly item: A; readonly sibling: () => A | undefined } | undefined {
    for (const groups of this.#stages) {
      for (let group = groups.first; group !== undefined; group = groups.first) {
        const { line, name } = group, item = line.shift()
        if (item !== undefined) return { item, sibling: () => line.shift() }
        groups.shift()
        if (name !== undefined) this.#groups.delete(name)
      }
    }
    return undefined
  }
}

/** How many siblings share a call: each has a copy of its training rows, and together these stay below `limit` bytes. */
export const siblingsAtOnce = (most: number, bytes: number, limit = 2 ** 31): number => Math.max(1, Math.min(most, Math.floor(limit / Math.max(1, bytes))))
