/**
 * Noise that procedural scenes are grown from: a hash of lattice points, smooth value noise over it, and scattered cells.
 * All of it is a pure function of position and an integer seed, in integer and IEEE arithmetic only, so a scene has the same bits everywhere.
 */

/** A hash of a lattice point to [0, 1): the finaliser of MurmurHash3 (Appleby) over two mixed coordinates and a seed. */
export const latticeHash = (x: number, y: number, seed: number): number => {
  let h = Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1) ^ Math.imul(seed, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296
}

/** Value noise in [0, 1): lattice values joined by a smoothstep; features are about one unit wide. */
export const valueNoise = (x: number, y: number, seed: number): number => {
  const x0 = Math.floor(x), y0 = Math.floor(y)
  const fx = x - x0, fy = y - y0
  const u = fx * fx * (3 - 2 * fx), v = fy * fy * (3 - 2 * fy)
  const top = latticeHash(x0, y0, seed) * (1 - u) + latticeHash(x0 + 1, y0, seed) * u
  const bottom = latticeHash(x0, y0 + 1, seed) * (1 - u) + latticeHash(x0 + 1, y0 + 1, seed) * u
  return top * (1 - v) + bottom * v
}

/** Octaves of value noise, each twice as fine and half as strong, in [0, 1) around 0.5. */
export const fractalNoise = (x: number, y: number, seed: number, octaves: number): number => {
  let sum = 0, weight = 0, amplitude = 1, scale = 1
  for (let octave = 0; octave < octaves; octave++) {
    sum += amplitude * valueNoise(x * scale, y * scale, seed + octave)
    weight += amplitude
    amplitude /= 2
    scale *= 2
  }
  return sum / weight
}

/** The nearest of points scattered one to a unit cell (Worley 1996): where it lies from here, how far, and a random number of its own. */
export interface Cell {
  readonly dx: number
  readonly dy: number
  readonly distance: number
  readonly random: number
}

export const nearestCell = (x: number, y: number, seed: number): Cell => {
  const x0 = Math.floor(x), y0 = Math.floor(y)
  let best = Infinity, dx = 0, dy = 0, cellX = 0, cellY = 0
  for (let cy = y0 - 1; cy <= y0 + 1; cy++) {
    for (let cx = x0 - 1; cx <= x0 + 1; cx++) {
      const px = cx + latticeHash(cx, cy, seed) - x
      const py = cy + latticeHash(cx, cy, seed + 1) - y
      const squared = px * px + py * py
      if (squared < best) {
        best = squared
        dx = px
        dy = py
        cellX = cx
        cellY = cy
      }
    }
  }
  return { dx, dy, distance: Math.sqrt(best), random: latticeHash(cellX, cellY, seed + 2) }
}
