/** Arrays for peers in Python to read: NumPy's file format 1.0, rows first. */
import * as fs from "node:fs"

const kinds = { Float32Array: "<f4", Float64Array: "<f8", Int32Array: "<i4" } as const

/** Writes an array; `numpy.load` reads it. */
export const writeNpy = (path: string, values: Float32Array | Float64Array | Int32Array, shape: ReadonlyArray<number>): void => {
  const kind = values instanceof Float32Array ? kinds.Float32Array : values instanceof Float64Array ? kinds.Float64Array : kinds.Int32Array
  const text = `{'descr': '${kind}', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`
  const header = Buffer.from(text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11).concat("\n"), "latin1")
  const prefix = Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, header.length & 255, header.length >> 8])
  const file = fs.openSync(path, "w")
  fs.writeSync(file, prefix)
  fs.writeSync(file, header)
  // In pieces: one write takes at most 2 GiB.
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength), piece = 1 << 28
  for (let at = 0; at < bytes.length; at += piece) fs.writeSync(file, bytes, at, Math.min(piece, bytes.length - at))
  fs.closeSync(file)
}
