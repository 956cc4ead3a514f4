/**
 * Tar archives as folders: where each member's bytes lie, found from the headers (POSIX ustar and pax, GNU long names). Nothing is ever
 * unpacked, so a hostile name or link can write nowhere; an archive that has one is refused all the same, since nobody made it in good faith
 * or by tools that others could read it with. The format: POSIX.1-2008, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
 */
import * as fs from "node:fs"
import { posix } from "node:path"
import { type Print, printOf, samePrint } from "../cache/fingerprint.ts"
import { FileError } from "../stages/stage.ts"

/** The bytes of a member. */
export interface Member {
  readonly offset: number
  readonly size: number
}
export type Members = ReadonlyMap<string, Member>

const block = 512
/** Members of one archive: 64 times those of the largest shards that are usual. */
const mostMembers = 1_000_000
/** Bytes of a long name, or of a member's pax records. */
const mostText = 1 << 20
/** Bytes that are looked through at once. */
const piece = 1 << 20

const refusedTypes: Readonly<Record<string, string>> = { 1: "a hard link", 2: "a symbolic link", 3: "a device", 4: "a device", 6: "a pipe", S: "a sparse file" }

const text = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0)
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString("utf8")
}

/** A number in octal digits, or big-endian in base 256 where the first bit is set (GNU). Undefined: not a number, negative, or beyond 2^53. */
const numberIn = (field: Uint8Array): number | undefined => {
  if (field[0]! >= 0x80) {
    // 0x80 alone marks a positive number; 0xff, and any other bit beside the mark, is negative or far beyond a file's size
    const value = field[0] === 0x80 ? field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0) : Number.NaN
    return Number.isSafeInteger(value) ? value : undefined
  }
  const digits = text(field).trim()
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || "0", 8) : undefined
}

const checksum = (header: Uint8Array): number => header.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 0x20 : byte), 0)

/** The records of a pax header: "length key=value\n", the length counting itself. */
const paxRecords = (bytes: Uint8Array): ReadonlyMap<string, string> | undefined => {
  const records = new Map<string, string>()
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at)
    const length = space < 0 ? Number.NaN : Number(Buffer.from(bytes.subarray(at, space)).toString("latin1"))
    if (!Number.isInteger(length) || length <= space - at || at + length > bytes.length || bytes[at + length - 1] !== 0x0a) return undefined
    const record = Buffer.from(bytes.subarray(space + 1, at + length - 1)).toString("utf8"), equals = record.indexOf("=")
    if (equals < 0) return undefined
    records.set(record.slice(0, equals), record.slice(equals + 1))
    at += length
  }
  return records
}

/** Finds the members of an archive: `size` bytes that `read` hands out. Throws `FileError`, which names the member, where it is damaged or may not be trusted. */
export const membersOf = (archive: string, size: number, read: (offset: number, length: number) => Uint8Array): Members => {
  const members = new Map<string, Member>()
  let said: string | undefined, pax: ReadonlyMap<string, string> = new Map()
  const refuse = (message: string) => new FileError({ path: archive, message: `${archive}: ${message}` })
  for (let at = 0; ;) {
    const header = read(at, block)
    if (header.length < block) throw refuse(`the archive ends at byte ${size} without an end mark; it was cut off${members.size > 0 ? ` after member "${[...members.keys()].at(-1)}"` : ", or is no tar archive"}`)
    if (header.every((byte) => byte === 0)) {
      // after the end mark there is nothing but padding; another archive there would be lost without a word
      for (let rest = at + block; rest < size; rest += piece) {
        if (read(rest, Math.min(piece, size - rest)).some((byte) => byte !== 0)) throw refuse(`the archive holds more after its end mark at byte ${at} (two archives in one file?): pack it anew`)
      }
      return members
    }
    if (numberIn(header.subarray(148, 156)) !== checksum(header)) throw refuse(`the header at byte ${at} is damaged, or this is no tar archive (a compressed one has to be decompressed first)`)
    const type = header[156] === 0 ? "0" : String.fromCharCode(header[156]!)
    const posixForm = text(header.subarray(257, 263)) === "ustar", prefix = posixForm ? text(header.subarray(345, 500)) : ""
    const name = pax.get("path") ?? said ?? (prefix === "" ? "" : `${prefix}/`) + text(header.subarray(0, 100))
    const shown = `member "${name}"`
    const paxSize = pax.get("size")
    const length = paxSize === undefined ? numberIn(header.subarray(124, 136)) : /^\d{1,15}$/.test(paxSize) ? Number(paxSize) : undefined
    if (length === undefined) throw refuse(`${shown} has a size that is no number of bytes`)
    // what such a header says of its size is no length of data
    const data = type === "5" ? 0 : length
    const offset = at + block
    if (offset + data > size) throw refuse(`${shown} is said to have ${length} bytes from byte ${offset} on, but the archive has only ${size}: it was cut off, or its header is wrong`)
    at = offset + Math.ceil(data / block) * block

    if (type === "L" || type === "K" || type === "x" || type === "g") {
      if (length > mostText) throw refuse(`a header of type ${type} at byte ${offset - block} has ${length} bytes of names`)
      const bytes = read(offset, length)
      if (type === "L") said = text(bytes)
      else if (type === "x" || type === "g") {
        const records = paxRecords(bytes)
        if (records === undefined) throw refuse(`the pax header at byte ${offset - block} is damaged`)
        if (type === "x") pax = records
        else if (records.has("path") || records.has("size")) throw refuse(`the pax header at byte ${offset - block} gives all members one name or size`)
      }
      continue
    }
    if ([...pax.keys()].some((key) => key.startsWith("GNU.sparse."))) throw refuse(`${shown} is a sparse file: pack it without --sparse`)
    said = undefined
    pax = new Map()
    if (type in refusedTypes) throw refuse(`${shown} is ${refusedTypes[type]}: archives may hold files only`)
    const clean = posix.normalize(name)
    if (name === "" || name.includes("\0") || clean.startsWith("/") || clean === ".." || clean.startsWith("../")) throw refuse(`${shown} leads out of the archive: names must be relative, without ".."`)
    if (type === "5" || name.endsWith("/")) continue
    if (type !== "0" && type !== "7") throw refuse(`${shown} is of the unknown type "${type}"`)
    if (members.has(clean)) throw refuse(`${shown} is there twice; pack each file once`)
    if (members.size === mostMembers) throw refuse(`${shown} is one of more than ${mostMembers} members: make smaller shards`)
    members.set(clean, { offset, size: length })
  }
}

/** Archives whose members were found, the one used last at the end, up to so many members. */
const found = new Map<string, { readonly print: Print; readonly members: Members }>()
const mostKept = 2_000_000
let kept = 0
const forget = (file: string): void => {
  kept -= found.get(file)?.members.size ?? 0
  found.delete(file)
}

/** The members of an archive on disk of a print, found once as long as the file stays as it is. `file` lies on disk, `archive` is its name in messages. */
export const archiveAt = (file: string, archive: string, print: Print): Members => {
  let known = found.get(file)
  forget(file)
  if (known === undefined || !samePrint(known.print, print)) {
    const handle = fs.openSync(file, "r")
    try {
      if (!samePrint(printOf(fs.fstatSync(handle, { bigint: true })), print)) throw new FileError({ path: archive, message: `${archive} changed while it was read: run again` })
      const read = (offset: number, length: number) => {
        const bytes = new Uint8Array(length)
        return bytes.subarray(0, fs.readSync(handle, bytes, 0, length, offset))
      }
      known = { print, members: membersOf(archive, Number(print.size), read) }
    } finally {
      fs.closeSync(handle)
    }
  }
  found.set(file, known)
  kept += known.members.size
  for (const other of found.keys()) {
    if (kept <= mostKept || other === file) break
    forget(other)
  }
  return known.members
}
