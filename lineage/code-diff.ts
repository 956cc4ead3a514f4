/**
 * The changed lines of a stage's closure. Closures are kept without white space and comments; they are laid out again first, so that what
 * is shown is what matters and nothing else.
 */

export interface CodeDiff {
  readonly added: number
  readonly removed: number
  /** A unified diff without the names of files. */
  readonly lines: ReadonlyArray<string>
}

interface Edit {
  readonly sign: " " | "-" | "+"
  readonly text: string
}

/** Beyond this many changed lines the shortest edit is not worth its price: what lies between the common ends counts as changed whole. */
const mostEdits = 2000

/** The shortest edit from one list of lines to another (Myers, An O(ND) Difference Algorithm and Its Variations, 1986). */
const edits = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): Array<Edit> => {
  const trace: Array<Int32Array> = [], n = a.length, m = b.length
  const most = Math.min(n + m, mostEdits)
  let furthest: Int32Array = new Int32Array(2 * most + 3)
  const down = (k: number, d: number) => k === -d || (k !== d && furthest[most + k]! < furthest[most + k + 2]!)
  for (let d = 0; d <= most; d++) {
    trace.push(furthest.slice())
    for (let k = -d; k <= d; k += 2) {
      let x = down(k, d) ? furthest[most + k + 2]! : furthest[most + k]! + 1
      while (x < n && x - k < m && a[x] === b[x - k]) x++
      furthest[most + k + 1] = x
      if (x < n || x - k < m) continue
      const out: Array<Edit> = []
      let i = n, j = m
      for (let back = d; back >= 0; back--) {
        furthest = trace[back]!
        const at = i - j, from = down(at, back) ? at + 1 : at - 1
        const fromX = back === 0 ? 0 : furthest[most + from + 1]!, fromY = back === 0 ? 0 : fromX - from
        while (i > fromX && j > fromY) {
          out.push({ sign: " ", text: a[--i]! })
          j--
        }
        if (back === 0) break
        out.push(from === at + 1 ? { sign: "+", text: b[--j]! } : { sign: "-", text: a[--i]! })
      }
      return out.toReversed()
    }
  }
  return [...a.map((text): Edit => ({ sign: "-", text })), ...b.map((text): Edit => ({ sign: "+", text }))]
}

/** The unified diff of two texts, with three lines around each change. */
export const diffLines = (before: string, after: string): CodeDiff => {
  const a = before.split("\n"), b = after.split("\n")
  let head = 0, tail = 0
  while (head < Math.min(a.length, b.length) && a[head] === b[head]) head++
  while (tail < Math.min(a.length, b.length) - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++
  const same = (text: string): Edit => ({ sign: " ", text })
  const all = [...a.slice(0, head).map(same), ...edits(a.slice(head, a.length - tail), b.slice(head, b.length - tail)), ...a.slice(a.length - tail).map(same)]
  const near = new Uint8Array(all.length)
  all.forEach(({ sign }, i) => {
    if (sign !== " ") near.fill(1, Math.max(0, i - 3), i + 4)
  })
  const lines: Array<string> = []
  let lineA = 1, lineB = 1
  all.forEach(({ sign, text }, i) => {
    if (near[i] === 1) {
      if (near[i - 1] !== 1) {
        const end = near.indexOf(0, i), hunk = all.slice(i, end < 0 ? all.length : end)
        const count = (other: string) => hunk.filter((edit) => edit.sign !== other).length
        lines.push(`@@ -${lineA},${count("+")} +${lineB},${count("-")} @@`)
      }
      lines.push(`${sign}${text}`)
    }
    if (sign !== "+") lineA++
    if (sign !== "-") lineB++
  })
  const count = (wanted: string) => all.filter(({ sign }) => sign === wanted).length
  return { added: count("+"), removed: count("-"), lines }
}

/** The changed lines between two closures. */
export const diffCode = async (before: string, after: string): Promise<CodeDiff> => {
  const { transform } = await import("esbuild")
  const laidOut = async (text: string) => (await transform(text, { loader: "js", charset: "utf8", legalComments: "none" })).code
  const [a, b] = await Promise.all([laidOut(before), laidOut(after)])
  return diffLines(a, b)
}
