/** A partition for checks that look at places and windows only. */
import type { Partition, Role } from "../../../lineage/audit/evidence.ts"

export interface Row {
  readonly role: Role
  readonly lat?: number
  readonly lon?: number
  readonly scene?: string
  readonly window?: readonly [x: number, y: number, width: number, height: number]
}

export const partitionOf = (rows: ReadonlyArray<Row>): Partition => {
  const of = (role: Role) => rows.flatMap((row, i) => row.role === role ? [i] : [])
  const roles = rows.map(({ role }) => role), sample_id = rows.map((_, i) => `s${i}`)
  const samples = {
    rows: rows.length,
    sample_id,
    lat: Float64Array.from(rows, ({ lat }) => lat ?? Number.NaN),
    lon: Float64Array.from(rows, ({ lon }) => lon ?? Number.NaN),
    location: rows.map(() => null),
    assets: rows.map(({ scene }, i) => [{ band: "image", path: "", digest: scene ?? `d${i}`, index: -1, gsd: 10 }]),
    window: { width: 4, values: Float32Array.from(rows.flatMap(({ window }) => window ?? Array<number>(4).fill(Number.NaN))) }
  }
  return { id: "", asked: {}, cells: new Set([0]), divider: {}, roleOf: new Map(), roles, rows: { train: of("train"), val: of("val"), test: of("test") }, samples } as unknown as Partition
}
