/** Writes tar archives, well-formed and hostile: each member is what its header says, whatever that is. */

export interface Entry {
  readonly name: string
  readonly content?: string | Uint8Array
  /** "0": a file. */
  readonly type?: string
  readonly link?: string
  /** The size field as it stands, instead of the content's size in octal. */
  readonly size?: string | Uint8Array
  readonly prefix?: string
  readonly magic?: string
}

const padded = (bytes: Uint8Array): Uint8Array => Buffer.concat([bytes, Buffer.alloc((512 - bytes.length % 512) % 512)])

export const member = ({ content = "", link = "", magic = "ustar\0", name, prefix = "", size, type = "0" }: Entry): Uint8Array => {
  const bytes = typeof content === "string" ? Buffer.from(content) : content
  const header = Buffer.alloc(512)
  header.write(name, 0, 100)
  header.write("0000644\0", 100)
  header.set(typeof size === "object" ? size : Buffer.from(size ?? `${bytes.length.toString(8).padStart(11, "0")}\0`), 124)
  header.write(type, 156)
  header.write(link, 157, 100)
  header.write(magic, 257)
  header.write(prefix, 345, 155)
  header.fill(" ", 148, 156)
  header.write(`${header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0")}\0 `, 148)
  return Buffer.concat([header, padded(bytes)])
}

/** A pax record counts its own length. */
export const pax = (records: Readonly<Record<string, string>>, type = "x"): Entry => ({
  name: "PaxHeaders/x",
  type,
  content: Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`, bytes = Buffer.byteLength(rest)
    const length = bytes + String(bytes + String(bytes).length).length
    return `${length}${rest}`
  }).join("")
})

export const tar = (...entries: ReadonlyArray<Entry>): Uint8Array => new Uint8Array(Buffer.concat([...entries.map(member), Buffer.alloc(1024)]))
