// AssemblyScript (a TypeScript dialect) -> WebAssembly SIMD: a linear projection and triplet losses of it, forward and backward.
// Every pointer is a byte offset into the imported memory; all values are float32 unless said otherwise. `../build.ts` compiles this file.
//
// Multiplications and additions stay apart and sums have one fixed order, so the bits are the same on every CPU: WebAssembly fuses nothing
// unless told to. The ceiling is that of 128-bit SIMD without FMA, and the loops below reach it.
//
// A "panel" matrix of R rows and 8 P columns lies as [P][R][8], so that the tile of 4 rows x 8 columns reads it in one straight line. The
// tile is as large as V8 keeps in registers: with a larger one, or the inner loop unrolled, it copies registers and takes twice the time.
// Rows of a batch come as a list of addresses, n of them, a multiple of 4; a row of zeros pads.

// @ts-ignore: decorator
@inline function madd(a: v128, b: v128, c: v128): v128 { return f32x4.add(f32x4.mul(a, b), c) }
/** The sums of four vectors' lanes. */
// @ts-ignore: decorator
@inline function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const s = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7))
  const t = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7))
  return f32x4.add(v128.shuffle<f32>(s, t, 0, 1, 4, 5), v128.shuffle<f32>(s, t, 2, 3, 6, 7))
}
// @ts-ignore: decorator
@inline function increase(p: usize, x: f32): void { store<f32>(p, load<f32>(p) + x) }

/**
 * out[p][r][8] = sum over k < width of rows[r][k] b[p][k][8], p < panels. Chunks of rows times blocks of the width: what one needs of both stays in
 * the first-level cache. The sums go on from block to block, in the order of k.
 */
export function multiply(rows: usize, n: i32, width: i32, b: usize, out: usize, panels: i32): void {
  for (let top = 0; top < n; top += 32) {
    const bottom = min(top + 32, n)
    for (let from = 0; from < width; from += 256) {
      const span = <usize>min(256, width - from) << 5, skipped = <usize>from << 2
      for (let p = 0; p < panels; p++) {
        const begin = b + (<usize>(p * width + from) << 5), end = begin + span
        let o = out + (<usize>(p * n + top) << 5)
        for (let r = top; r < bottom; r += 4) {
          const q = rows + (<usize>r << 2)
          let x0 = <usize>load<u32>(q) + skipped, x1 = <usize>load<u32>(q, 4) + skipped, x2 = <usize>load<u32>(q, 8) + skipped, x3 = <usize>load<u32>(q, 12) + skipped
          let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0
          if (from > 0) {
            c0 = v128.load(o); c1 = v128.load(o, 16); c2 = v128.load(o, 32); c3 = v128.load(o, 48)
            c4 = v128.load(o, 64); c5 = v128.load(o, 80); c6 = v128.load(o, 96); c7 = v128.load(o, 112)
          }
          for (let w = begin; w < end; w += 32) {
            const b0 = v128.load(w), b1 = v128.load(w, 16)
            let a = v128.load32_splat(x0); c0 = madd(a, b0, c0); c1 = madd(a, b1, c1)
            a = v128.load32_splat(x1); c2 = madd(a, b0, c2); c3 = madd(a, b1, c3)
            a = v128.load32_splat(x2); c4 = madd(a, b0, c4); c5 = madd(a, b1, c5)
            a = v128.load32_splat(x3); c6 = madd(a, b0, c6); c7 = madd(a, b1, c7)
            x0 += 4; x1 += 4; x2 += 4; x3 += 4
          }
          v128.store(o, c0); v128.store(o, c1, 16); v128.store(o, c2, 32); v128.store(o, c3, 48)
          v128.store(o, c4, 64); v128.store(o, c5, 80); v128.store(o, c6, 96); v128.store(o, c7, 112)
          o += 128
        }
      }
    }
  }
}

// @ts-ignore: decorator
@inline function adam(g: v128, w: usize, m: usize, v: usize, rate: v128, root: v128): void {
  const raw = f32x4.add(f32x4.mul(f32x4.splat(0.9), v128.load(m)), f32x4.mul(f32x4.splat(0.1), g))
  const first = v128.andnot(raw, f32x4.lt(f32x4.abs(raw), f32x4.splat(1e-30)))
  const second = f32x4.add(f32x4.mul(f32x4.splat(0.999), v128.load(v)), f32x4.mul(f32x4.mul(f32x4.splat(0.001), g), g))
  v128.store(m, first)
  v128.store(v, second)
  v128.store(w, f32x4.sub(v128.load(w), f32x4.div(f32x4.mul(rate, first), f32x4.add(f32x4.mul(f32x4.sqrt(second), root), f32x4.splat(1e-8)))))
}

/** Lays n rows of a batch out for `descend`: to[k / 4][row][4]. Both n and width are multiples of 4. */
export function lay(rows: usize, n: i32, width: i32, to: usize): void {
  const end = <usize>width << 2, block = <usize>n << 4
  for (let r: usize = 0; r < <usize>n; r++) {
    const x = <usize>load<u32>(rows + (r << 2))
    let at = to + (r << 4)
    for (let k: usize = 0; k < end; k += 16) {
      v128.store(at, v128.load(x + k))
      at += block
    }
  }
}

/**
 * The gradient of `multiply` in b, sum over r < n of x[r] g[r], and in the same registers one step of Adam as `optimisers.ts` has it. x lies as
 * `lay` has laid it out, g in panels, both of `ld` rows. width is a multiple of 4.
 */
export function descend(x: usize, n: i32, ld: i32, width: i32, g: usize, w: usize, m: usize, v: usize, panels: i32, rate: f32, root: f32): void {
  const vrate = f32x4.splat(rate), vroot = f32x4.splat(root), block = <usize>ld << 4
  // A line of the cache holds 16 columns: all panels use them while they are there.
  for (let from = 0; from < width; from += 16) {
    const to = min(from + 16, width)
    for (let p = 0; p < panels; p++) {
      const own = g + (<usize>(p * ld) << 5), end = own + (<usize>n << 5), skipped = <usize>(p * width + from) << 5
      let wp = w + skipped, mp = m + skipped, vp = v + skipped
      for (let k = from; k < to; k += 4) {
        let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0
        let q = x + <usize>(k >> 2) * block
        for (let z = own; z < end; z += 32) {
          const b0 = v128.load(z), b1 = v128.load(z, 16)
          let a = v128.load32_splat(q); c0 = madd(a, b0, c0); c1 = madd(a, b1, c1)
          a = v128.load32_splat(q, 4); c2 = madd(a, b0, c2); c3 = madd(a, b1, c3)
          a = v128.load32_splat(q, 8); c4 = madd(a, b0, c4); c5 = madd(a, b1, c5)
          a = v128.load32_splat(q, 12); c6 = madd(a, b0, c6); c7 = madd(a, b1, c7)
          q += 16
        }
        adam(c0, wp, mp, vp, vrate, vroot); adam(c1, wp + 16, mp + 16, vp + 16, vrate, vroot)
        adam(c2, wp + 32, mp + 32, vp + 32, vrate, vroot); adam(c3, wp + 48, mp + 48, vp + 48, vrate, vroot)
        adam(c4, wp + 64, mp + 64, vp + 64, vrate, vroot); adam(c5, wp + 80, mp + 80, vp + 80, vrate, vroot)
        adam(c6, wp + 96, mp + 96, vp + 96, vrate, vroot); adam(c7, wp + 112, mp + 112, vp + 112, vrate, vroot)
        wp += 128; mp += 128; vp += 128
      }
    }
  }
}

/** The gradient of `multiply` in b alone, in panels of `width` rows; x, g and sizes as in `descend`. */
export function gradient(x: usize, n: i32, ld: i32, width: i32, g: usize, to: usize, panels: i32): void {
  const block = <usize>ld << 4
  for (let p = 0; p < panels; p++) {
    const own = g + (<usize>(p * ld) << 5), end = own + (<usize>n << 5)
    for (let k = 0; k < width; k += 4) {
      let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0
      let q = x + <usize>(k >> 2) * block
      for (let z = own; z < end; z += 32) {
        const b0 = v128.load(z), b1 = v128.load(z, 16)
        let a = v128.load32_splat(q); c0 = madd(a, b0, c0); c1 = madd(a, b1, c1)
        a = v128.load32_splat(q, 4); c2 = madd(a, b0, c2); c3 = madd(a, b1, c3)
        a = v128.load32_splat(q, 8); c4 = madd(a, b0, c4); c5 = madd(a, b1, c5)
        a = v128.load32_splat(q, 12); c6 = madd(a, b0, c6); c7 = madd(a, b1, c7)
        q += 16
      }
      v128.store(to, c0); v128.store(to, c1, 16); v128.store(to, c2, 32); v128.store(to, c3, 48)
      v128.store(to, c4, 64); v128.store(to, c5, 80); v128.store(to, c6, 96); v128.store(to, c7, 112)
      to += 128
    }
  }
}

/**
 * d[i][j] = |z_i - z_j| for i, j < n; z in panels of n rows, rows of d `ld` apart. From differences, not |a|^2 + |b|^2 - 2ab: that loses what is close together
 * but far from the origin, and sets equal rows apart. Returns 0, or NaN where a distance is not finite.
 */
export function distances(z: usize, n: i32, panels: i32, d: usize, ld: i32): f32 {
  const panel = <usize>n << 5, stride = <usize>ld << 2
  let finite = f32x4.splat(0)
  for (let i = 0; i < n; i += 2) {
    for (let j = i & ~3; j < n; j += 4) {
      let zi = z + (<usize>i << 5), zj = z + (<usize>j << 5)
      let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, e0 = c0, e1 = c0, e2 = c0, e3 = c0
      for (let p = 0; p < panels; p++) {
        const a0 = v128.load(zi), a1 = v128.load(zi, 16), a2 = v128.load(zi, 32), a3 = v128.load(zi, 48)
        let b = v128.load(zj), t = f32x4.sub(a0, b); c0 = madd(t, t, c0); t = f32x4.sub(a2, b); e0 = madd(t, t, e0)
        b = v128.load(zj, 16); t = f32x4.sub(a1, b); c0 = madd(t, t, c0); t = f32x4.sub(a3, b); e0 = madd(t, t, e0)
        b = v128.load(zj, 32); t = f32x4.sub(a0, b); c1 = madd(t, t, c1); t = f32x4.sub(a2, b); e1 = madd(t, t, e1)
        b = v128.load(zj, 48); t = f32x4.sub(a1, b); c1 = madd(t, t, c1); t = f32x4.sub(a3, b); e1 = madd(t, t, e1)
        b = v128.load(zj, 64); t = f32x4.sub(a0, b); c2 = madd(t, t, c2); t = f32x4.sub(a2, b); e2 = madd(t, t, e2)
        b = v128.load(zj, 80); t = f32x4.sub(a1, b); c2 = madd(t, t, c2); t = f32x4.sub(a3, b); e2 = madd(t, t, e2)
        b = v128.load(zj, 96); t = f32x4.sub(a0, b); c3 = madd(t, t, c3); t = f32x4.sub(a2, b); e3 = madd(t, t, e3)
        b = v128.load(zj, 112); t = f32x4.sub(a1, b); c3 = madd(t, t, c3); t = f32x4.sub(a3, b); e3 = madd(t, t, e3)
        zi += panel; zj += panel
      }
      const r = f32x4.sqrt(sums(c0, c1, c2, c3)), s = f32x4.sqrt(sums(e0, e1, e2, e3))
      finite = madd(f32x4.add(r, s), f32x4.splat(0), finite)
      const row = d + <usize>i * stride + (<usize>j << 2)
      v128.store(row, r)
      v128.store(row + stride, s)
      let at = d + <usize>j * stride + (<usize>i << 2)
      const low = v128.shuffle<f32>(r, s, 0, 4, 1, 5), high = v128.shuffle<f32>(r, s, 2, 6, 3, 7)
      v128.store64_lane(at, low, 0); at += stride
      v128.store64_lane(at, low, 1); at += stride
      v128.store64_lane(at, high, 0); at += stride
      v128.store64_lane(at, high, 1)
    }
  }
  return f32x4.extract_lane(finite, 0) + f32x4.extract_lane(finite, 1) + f32x4.extract_lane(finite, 2) + f32x4.extract_lane(finite, 3)
}

/**
 * Groups the rows of a batch by class: `order` gets 4 x the row numbers class after class, `start` (classes + 1 int32) where in it each class
 * begins, in bytes. labels [n] int32: 0..classes - 1, or -1 for a row that takes no part.
 */
export function group(labels: usize, n: i32, classes: i32, order: usize, start: usize): void {
  memory.fill(start, 0, (<usize>classes + 1) << 2)
  for (let i = 0; i < n; i++) {
    const c = load<i32>(labels + (<usize>i << 2))
    if (c >= 0) { const at = start + (<usize>(c + 1) << 2); store<i32>(at, load<i32>(at) + 4) }
  }
  for (let c = 0; c < classes; c++) { const at = start + (<usize>c << 2); store<i32>(at, load<i32>(at) + load<i32>(at, 4), 4) }
  // Each start moves to its class's end while the class fills, that is, to the next one's start: shifted back below.
  for (let i = 0; i < n; i++) {
    const c = load<i32>(labels + (<usize>i << 2))
    if (c < 0) continue
    const at = start + (<usize>c << 2), to = load<i32>(at)
    store<i32>(order + to, i << 2)
    store<i32>(at, to + 4)
  }
  for (let c = classes - 1; c > 0; c--) store<i32>(start + (<usize>c << 2), load<i32>(start + (<usize>(c - 1) << 2)))
  store<i32>(start, 0)
}

/**
 * Batch-all (see `../../tensor/triplets.ts`) of the rows that `group` has put in order. The gradient of a sum of hinges in d is a COUNT of active triplets:
 * it is added to s[anchor][other]. Returns the sum of the hinges; *active (float64) is their number. Rows of d and s are `ld` apart.
 * scratch: 7 ld + 1088 words, on a boundary of 16 bytes.
 *
 * Pairs of a positive and a negative take 0.08 ns each, sorting 12 ns a row (measured): large classes are sorted.
 */
export function batchAll(d: usize, order: usize, start: usize, classes: i32, ld: i32, margin: f32, s: usize, scratch: usize, active: usize): f64 {
  const all = load<i32>(start + (<usize>classes << 2))
  let sum: f64 = 0
  store<f64>(active, 0)
  memory.fill(scratch, 0, 4096)
  for (let c = 0; c < classes; c++) {
    const from = load<i32>(start + (<usize>c << 2)), to = load<i32>(start + (<usize>(c + 1) << 2)), members = to - from, negatives = all - members
    if (members < 8 || negatives == 0) continue
    sum += <f64>members * <f64>negatives > 600 * <f64>all
      ? sorted(d, order, from, to, all, ld, margin, s, scratch, active)
      : compared(d, order, from, to, all, ld, margin, s, scratch + 4096, active)
  }
  return sum
}

/** `batchAll` of the anchors from..to of one class, every positive compared with every negative. Places in `order` count in bytes. */
function compared(d: usize, order: usize, from: usize, to: usize, all: usize, ld: i32, margin: f32, s: usize, scratch: usize, active: usize): f64 {
  const stride = <usize>ld << 2, near = scratch, far = near + stride, countFar = far + stride + 64, countNear = countFar + stride + 64
  const members = to - from, negatives = all - members, infinite = f32x4.splat(Infinity)
  let total: f64 = 0, sum: f64 = 0
  for (let i = from; i < to; i += 4) {
    const a = <usize>load<i32>(order + i), row = d + (a >> 2) * stride, own = s + (a >> 2) * stride
    let f = far
    for (let q: usize = 0; q < from; q += 4) { store<f32>(f, load<f32>(row + load<i32>(order + q))); f += 4 }
    for (let q = to; q < all; q += 4) { store<f32>(f, load<f32>(row + load<i32>(order + q))); f += 4 }
    v128.store(f, infinite); v128.store(f, infinite, 16); v128.store(f, infinite, 32); v128.store(f, infinite, 48)
    for (let q: usize = 0; q < members; q += 4) store<f32>(near + q, load<f32>(row + load<i32>(order + from + q)) + margin)
    store<f32>(near + (i - from), -Infinity)
    memory.fill(countNear, 0, members << 2)
    for (let q: usize = 0; q < negatives; q += 64) {
      const f0 = v128.load(far + q), f1 = v128.load(far + q, 16), f2 = v128.load(far + q, 32), f3 = v128.load(far + q, 48)
      let n0 = i32x4.splat(0), n1 = n0, n2 = n0, n3 = n0, at = countNear
      for (let p = near; p < near + members; p += 4) {
        const x = v128.load32_splat(p), h0 = f32x4.lt(f0, x), h1 = f32x4.lt(f1, x), h2 = f32x4.lt(f2, x), h3 = f32x4.lt(f3, x)
        n0 = i32x4.add(n0, h0); n1 = i32x4.add(n1, h1); n2 = i32x4.add(n2, h2); n3 = i32x4.add(n3, h3)
        v128.store(at, i32x4.add(v128.load(at), i32x4.add(i32x4.add(h0, h1), i32x4.add(h2, h3))))
        at += 16
      }
      // A comparison that holds is -1: these are minus the counts, the gradient's sign.
      v128.store(countFar + q, f32x4.convert_i32x4_s(n0)); v128.store(countFar + q, f32x4.convert_i32x4_s(n1), 16)
      v128.store(countFar + q, f32x4.convert_i32x4_s(n2), 32); v128.store(countFar + q, f32x4.convert_i32x4_s(n3), 48)
    }
    for (let p: usize = 0; p < members; p += 4) {
      const v = v128.load(countNear + (p << 2))
      const k = -(i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3))
      if (k == 0) continue
      total += <f64>k
      sum += <f64>k * <f64>load<f32>(near + p)
      increase(own + load<i32>(order + from + p), <f32>k)
    }
    for (let q: usize = 0; q < negatives; q += 4) {
      const x = load<f32>(countFar + q)
      if (x == 0) continue
      sum += <f64>x * <f64>load<f32>(far + q)
      increase(own + load<i32>(order + (q < from ? q : q + members)), x)
    }
  }
  store<f64>(active, load<f64>(active) + total)
  return sum
}

/**
 * The same in O(n) an anchor: its distances sorted, those to positives with the margin added; a positive then counts the negatives before it, a
 * negative the positives behind it. The sum of the hinges is added up in another order. The first 1024 words of scratch are 0, before and after.
 */
function sorted(d: usize, order: usize, from: usize, to: usize, all: usize, ld: i32, margin: f32, s: usize, scratch: usize, active: usize): f64 {
  const stride = <usize>ld << 2, digits = scratch, entries = digits + 4096, spare = entries + 2 * stride, positives = <i32>((to - from) >> 2) - 1
  let total: f64 = 0, sum: f64 = 0
  for (let i = from; i < to; i += 4) {
    const a = <usize>load<i32>(order + i), row = d + (a >> 2) * stride, own = s + (a >> 2) * stride
    // Positives first: the sort leaves equal values in their order, and a hinge of 0 is not active.
    let entry = entries
    for (let q = from; q < to; q += 4) {
      if (q == i) continue
      const j = load<u32>(order + q)
      enter(entry, digits, load<f32>(row + j) + margin, j + 1)
      entry += 8
    }
    for (let q: usize = 0; q < from; q += 4) { const j = load<u32>(order + q); enter(entry, digits, load<f32>(row + j), j); entry += 8 }
    for (let q = to; q < all; q += 4) { const j = load<u32>(order + q); enter(entry, digits, load<f32>(row + j), j); entry += 8 }
    sort(entries, spare, entry, digits)
    let before = 0, behind = positives
    for (let e = entries; e < entry; e += 8) {
      const tag = load<u32>(e), positive = <i32>(tag & 1), k = <f64>select<i32>(before, -behind, positive)
      before += 1 - positive
      behind -= positive
      total += select<f64>(k, 0, positive)
      sum += k * <f64>valueOf(load<u32>(e, 4))
      increase(own + (tag & ~1), <f32>k)
    }
  }
  store<f64>(active, load<f64>(active) + total)
  return sum
}

// A float32 as an unsigned number of the same order, and back.
// @ts-ignore: decorator
@inline function keyOf(x: f32): u32 { const bits = reinterpret<u32>(x); return bits ^ (<u32>(<i32>bits >> 31) | 0x80000000) }
// @ts-ignore: decorator
@inline function valueOf(key: u32): f32 { return reinterpret<f32>(key ^ (~<u32>(<i32>key >> 31) | 0x80000000)) }
// @ts-ignore: decorator
@inline function count(at: usize): void { store<u32>(at, load<u32>(at) + 1) }
/** Writes an entry (tag, key) of 8 bytes, and counts the four bytes of its key. */
// @ts-ignore: decorator
@inline function enter(entry: usize, digits: usize, x: f32, tag: u32): void {
  const key = keyOf(x)
  store<u32>(entry, tag)
  store<u32>(entry, key, 4)
  count(digits + ((key & 255) << 2)); count(digits + 1024 + ((key >> 8 & 255) << 2)); count(digits + 2048 + ((key >> 16 & 255) << 2)); count(digits + 3072 + (key >> 24 << 2))
}

/** Sorts the entries from `at` to `end` by key, stable, byte after byte; `enter` has counted the bytes in `digits`, which are 0 again afterwards. */
function sort(at: usize, spare: usize, end: usize, digits: usize): void {
  const bytes = end - at
  let read = at, write = spare
  for (let byte: u32 = 0; byte < 4; byte++) {
    const counts = digits + (<usize>byte << 10), shift = byte << 3
    let place = write
    for (let digit: usize = 0; digit < 1024; digit += 4) {
      const n = load<u32>(counts + digit)
      store<u32>(counts + digit, <u32>place)
      place += <usize>n << 3
    }
    for (let e = read; e < read + bytes; e += 8) {
      const slot = counts + ((load<u32>(e, 4) >> shift & 255) << 2), to = <usize>load<u32>(slot)
      store<u64>(to, load<u64>(e))
      store<u32>(slot, <u32>(to + 8))
    }
    const other = read
    read = write
    write = other
  }
  memory.fill(digits, 0, 4096)
}

/**
 * Batch-hard (see `../../tensor/triplets.ts`): of each anchor the farthest positive and the nearest negative, the first where several are equal. Adds
 * the gradient in d to s[anchor][other]; returns the sum of the hinges over the rows with a label, whose number is *anchors (float64).
 */
export function batchHard(d: usize, labels: usize, n: i32, ld: i32, margin: f32, s: usize, anchors: usize): f64 {
  const stride = <usize>ld << 2
  let sum: f64 = 0, count = 0
  for (let a = 0; a < n; a++) {
    const own = load<i32>(labels + (<usize>a << 2)), row = d + <usize>a * stride
    if (own < 0) continue
    count++
    let farthest: f32 = 0, nearest: f32 = Infinity, p = -1, q = -1
    for (let j = 0; j < n; j++) {
      const label = load<i32>(labels + (<usize>j << 2)), x = load<f32>(row + (<usize>j << 2))
      if (label < 0) continue
      if (label == own) { if (x > farthest) { farthest = x; p = j } } else if (x < nearest) { nearest = x; q = j }
    }
    // Without a negative the farthest row stands in for both and cancels: the hinge is the margin, and nothing moves.
    const hinge: f32 = q < 0 ? margin : farthest - nearest + margin
    if (!(hinge > 0)) continue
    sum += <f64>hinge
    if (q < 0) continue
    if (p >= 0) increase(s + <usize>a * stride + (<usize>p << 2), 1)
    increase(s + <usize>a * stride + (<usize>q << 2), -1)
  }
  store<f64>(anchors, <f64>count)
  return sum
}

/** to += k s over n values, a multiple of 4, and s = 0. */
export function accumulate(s: usize, to: usize, n: i32, k: f32): void {
  const vk = f32x4.splat(k), zero = f32x4.splat(0), end = s + (<usize>n << 2)
  for (; s < end; s += 16) {
    v128.store(to, madd(vk, v128.load(s), v128.load(to)))
    v128.store(s, zero)
    to += 16
  }
}

/** Adds a block of 4 x 4 values, turned, to rows `stride` apart. */
// @ts-ignore: decorator
@inline function addTurned(a: v128, b: v128, c: v128, d: v128, to: usize, stride: usize): void {
  const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5), ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7), cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5), cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7)
  v128.store(to, f32x4.add(v128.load(to), v128.shuffle<f32>(ab0, cd0, 0, 1, 4, 5))); to += stride
  v128.store(to, f32x4.add(v128.load(to), v128.shuffle<f32>(ab0, cd0, 2, 3, 6, 7))); to += stride
  v128.store(to, f32x4.add(v128.load(to), v128.shuffle<f32>(ab1, cd1, 0, 1, 4, 5))); to += stride
  v128.store(to, f32x4.add(v128.load(to), v128.shuffle<f32>(ab1, cd1, 2, 3, 6, 7)))
}

/** s := s + its transpose, n rows `ld` apart. */
function symmetrise(s: usize, n: i32, ld: i32): void {
  const stride = <usize>ld << 2, end = <usize>n << 2
  for (let i: usize = 0; i < end; i += 16) {
    for (let j = i; j < end; j += 16) {
      const here = s + (i >> 2) * stride + j, there = s + (j >> 2) * stride + i
      const a = v128.load(here), b = v128.load(here + stride), c = v128.load(here + 2 * stride), d = v128.load(here + 3 * stride)
      if (i != j) addTurned(v128.load(there), v128.load(there + stride), v128.load(there + 2 * stride), v128.load(there + 3 * stride), here, stride)
      addTurned(a, b, c, d, there, stride)
    }
  }
}

/**
 * Of the gradient s of a loss in d (by anchor and other row), the matrix L with dL/dz = L z, in its place: S = (s + its transpose) / d, 0 where d = 0, and
 * L = diag(row sums of S) - S. Rows of s and d are `ld` apart, n of them, a multiple of 4.
 */
export function laplacian(s: usize, d: usize, n: i32, ld: i32): void {
  const zero = f32x4.splat(0), stride = <usize>ld << 2
  symmetrise(s, n, ld)
  for (let i = 0; i < n; i++) {
    let sum = zero
    const row = s + <usize>i * stride, other = d + <usize>i * stride
    for (let q: usize = 0; q < <usize>n << 2; q += 16) {
      const x = v128.load(other + q), v = v128.and(f32x4.gt(x, zero), f32x4.div(v128.load(row + q), x))
      sum = f32x4.add(sum, v)
      v128.store(row + q, f32x4.neg(v))
    }
    store<f32>(row + (<usize>i << 2), f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3))
  }
}
