/** WebAssembly kernels over a memory: functions of numbers, where pointers are byte offsets into it. */

const compiled = new Map<string, WebAssembly.Module>()

type Kernel = (...numbers: ReadonlyArray<number>) => number
const isKernel = (value: unknown): value is Kernel => typeof value === "function"

/** The named functions of a module (base64, as `bytes/` holds it), working on `memory`. A module is compiled once a process. */
export const instantiate = <const Name extends string>(bytes: string, memory: WebAssembly.Memory, names: ReadonlyArray<Name>): Readonly<Record<Name, Kernel>> => {
  const module = compiled.get(bytes) ?? new WebAssembly.Module(Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)))
  compiled.set(bytes, module)
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  const kernel = (name: Name): Kernel => {
    const found = exports[name]
    if (!isKernel(found)) throw new Error(`the WebAssembly module lacks ${name}`)
    return found
  }
  return Object.fromEntries(names.map((name) => [name, kernel(name)])) as Record<Name, Kernel>
}

/** Lays out arrays one after the other on boundaries of 64 bytes, then makes a memory that holds them. */
export class Layout {
  #top = 1024 * 16

  /** Room for so many bytes; gives where it begins. */
  bytes(count: number): number {
    const at = this.#top
    this.#top = Math.ceil((at + count) / 64) * 64
    return at
  }
  /** Throws a RangeError that says how much was asked for. */
  memory(): WebAssembly.Memory {
    const pages = Math.ceil(this.#top / 65536)
    try {
      return new WebAssembly.Memory({ initial: pages })
    } catch (cause) {
      throw new RangeError(`this takes ${(pages / 2 ** 14).toFixed(2)} GiB of WebAssembly memory, which ${pages > 2 ** 16 ? "has at most 4" : "could not be had"}`, { cause })
    }
  }
}
