// AssemblyScript (a TypeScript dialect) -> WebAssembly SIMD: a linear projection and triplet losses of it, forward and backward.
// Every pointer is a byte offset into the imported memory; all values are float32 unless said otherwise. `build.ts` beside it compiles this file.
//
// Multiplications and additions stay apart and sums have one fixed order, so the bits are the same on every CPU: WebAssembly fuses nothing
// unless told to. The ceiling is that of 128-bit SIMD without FMA, and the loops below reach it.
//
// A "panel" matrix of R rows and 8 P columns lies as [P][R][8], so that the tile of 4 rows x 8 columns reads it in one straight line. The
// tile is as large as V8 keeps in registers: with a larger one, or the inner loop unrolled, it copies registers and takes twice the time.
// Rows of a batch come as a list of addresses, n of them, a multiple of 4; a row of zeros pads.

// @ts-ignore: decorator
@inline function madd(a: v128, b: v128, c: v128): v128 { return f32x4.add(f32x4.mul(a, b), c) }
// @ts-ignore: decorator
@inline function increase(p: usize, x: f32): void { store<f32>(p, load<f32>(p) + x) }

/** out[p][r][8] = sum over k < width of rows[r][k] b[p][k][8], p < panels. */
export function multiply(rows: usize, n: i32, width: i32, b: usize, out: usize, panels: i32): void {
  const step: usize = <usize>width << 5
  for (let p = 0; p < panels; p++) {
    const end = b + step
    for (let r = 0; r < n; r += 4) {
      const q = rows + (<usize>r << 2)
      let x0: usize = load<u32>(q), x1: usize = load<u32>(q, 4), x2: usize = load<u32>(q, 8), x3: usize = load<u32>(q, 12)
      let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0
      for (let w = b; w < end; w += 32) {
        const b0 = v128.load(w), b1 = v128.load(w, 16)
        let a = v128.load32_splat(x0); c0 = madd(a, b0, c0); c1 = madd(a, b1, c1)
        a = v128.load32_splat(x1); c2 = madd(a, b0, c2); c3 = madd(a, b1, c3)
        a = v128.load32_splat(x2); c4 = madd(a, b0, c4); c5 = madd(a, b1, c5)
        a = v128.load32_splat(x3); c6 = madd(a, b0, c6); c7 = madd(a, b1, c7)
        x0 += 4; x1 += 4; x2 += 4; x3 += 4
      }
      v128.store(out, c0); v128.store(out, c1, 16); v128.store(out, c2, 32); v128.store(out, c3, 48)
      v128.store(out, c4, 64); v128.store(out, c5, 80); v128.store(out, c6, 96); v128.store(out, c7, 112)
      out += 128
    }
    b = end
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

/**
 * The gradient of `multiply` in b, sum over r < n of rows[r] g[r], g in panels of `ld` rows, and in the same registers one step of Adam as
 * `optimisers.ts` has it. width is a multiple of 4.
 */
export function descend(rows: usize, n: i32, ld: i32, width: i32, g: usize, w: usize, m: usize, v: usize, panels: i32, rate: f32, root: f32): void {
  const vrate = f32x4.splat(rate), vroot = f32x4.splat(root), last = rows + (<usize>n << 2), columns = <usize>width << 2
  for (let p = 0; p < panels; p++) {
    for (let k: usize = 0; k < columns; k += 16) {
      let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0
      let z = g
      for (let q = rows; q < last; q += 4) {
        const x = <usize>load<u32>(q) + k, b0 = v128.load(z), b1 = v128.load(z, 16)
        let a = v128.load32_splat(x); c0 = madd(a, b0, c0); c1 = madd(a, b1, c1)
        a = v128.load32_splat(x, 4); c2 = madd(a, b0, c2); c3 = madd(a, b1, c3)
        a = v128.load32_splat(x, 8); c4 = madd(a, b0, c4); c5 = madd(a, b1, c5)
        a = v128.load32_splat(x, 12); c6 = madd(a, b0, c6); c7 = madd(a, b1, c7)
        z += 32
      }
      adam(c0, w, m, v, vrate, vroot); adam(c1, w + 16, m + 16, v + 16, vrate, vroot)
      adam(c2, w + 32, m + 32, v + 32, vrate, vroot); adam(c3, w + 48, m + 48, v + 48, vrate, vroot)
      adam(c4, w + 64, m + 64, v + 64, vrate, vroot); adam(c5, w + 80, m + 80, v + 80, vrate, vroot)
      adam(c6, w + 96, m + 96, v + 96, vrate, vroot); adam(c7, w + 112, m + 112, v + 112, vrate, vroot)
      w += 128; m += 128; v += 128
    }
    g += <usize>ld << 5
  }
}

/** The gradient of `multiply` in b alone, in panels of `width` rows. */
export function gradient(rows: usize, n: i32, ld: i32, width: i32, g: usize, out: usize, panels: i32): void {
  const last = rows + (<usize>n << 2), columns = <usize>width << 2
  for (let p = 0; p < panels; p++) {
    for (let k: usize = 0; k < columns; k += 16) {
      let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0
      let z = g
      for (let q = rows; q < last; q += 4) {
        const x = <usize>load<u32>(q) + k, b0 = v128.load(z), b1 = v128.load(z, 16)
        let a = v128.load32_splat(x); c0 = madd(a, b0, c0); c1 = madd(a, b1, c1)
        a = v128.load32_splat(x, 4); c2 = madd(a, b0, c2); c3 = madd(a, b1, c3)
        a = v128.load32_splat(x, 8); c4 = madd(a, b0, c4); c5 = madd(a, b1, c5)
        a = v128.load32_splat(x, 12); c6 = madd(a, b0, c6); c7 = madd(a, b1, c7)
        z += 32
      }
      v128.store(out, c0); v128.store(out, c1, 16); v128.store(out, c2, 32); v128.store(out, c3, 48)
      v128.store(out, c4, 64); v128.store(out, c5, 80); v128.store(out, c6, 96); v128.store(out, c7, 112)
      out += 128
    }
    g += <usize>ld << 5
  }
}

/**
 * d[i][j] = |z_i - z_j| for i, j < n; z in panels of n rows, rows of d `ld` apart. From differences, not |a|^2 + |b|^2 - 2ab: that loses what is close together
 * but far from the origin, and sets equal rows apart. Returns 0, or NaN where a distance is not finite.
 */
export function distances(z: usize, n: i32, panels: i32, d: usize, ld: i32): f32 {
  const panel = <usize>n << 5, stride = <usize>ld << 2
  let finite = f32x4.splat(0)
  for (let i = 0; i < n; i++) {
    for (let j = i & ~3; j < n; j += 4) {
      let zi = z + (<usize>i << 5), zj = z + (<usize>j << 5)
      let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, e0 = c0, e1 = c0, e2 = c0, e3 = c0
      for (let p = 0; p < panels; p++) {
        const a = v128.load(zi), b = v128.load(zi, 16)
        let t = f32x4.sub(a, v128.load(zj)); c0 = madd(t, t, c0); t = f32x4.sub(b, v128.load(zj, 16)); e0 = madd(t, t, e0)
        t = f32x4.sub(a, v128.load(zj, 32)); c1 = madd(t, t, c1); t = f32x4.sub(b, v128.load(zj, 48)); e1 = madd(t, t, e1)
        t = f32x4.sub(a, v128.load(zj, 64)); c2 = madd(t, t, c2); t = f32x4.sub(b, v128.load(zj, 80)); e2 = madd(t, t, e2)
        t = f32x4.sub(a, v128.load(zj, 96)); c3 = madd(t, t, c3); t = f32x4.sub(b, v128.load(zj, 112)); e3 = madd(t, t, e3)
        zi += panel; zj += panel
      }
      c0 = f32x4.add(c0, e0); c1 = f32x4.add(c1, e1); c2 = f32x4.add(c2, e2); c3 = f32x4.add(c3, e3)
      const s = f32x4.add(v128.shuffle<f32>(c0, c1, 0, 4, 1, 5), v128.shuffle<f32>(c0, c1, 2, 6, 3, 7))
      const t = f32x4.add(v128.shuffle<f32>(c2, c3, 0, 4, 1, 5), v128.shuffle<f32>(c2, c3, 2, 6, 3, 7))
      const r = f32x4.sqrt(f32x4.add(v128.shuffle<f32>(s, t, 0, 1, 4, 5), v128.shuffle<f32>(s, t, 2, 3, 6, 7)))
      finite = madd(r, f32x4.splat(0), finite)
      v128.store(d + <usize>i * stride + (<usize>j << 2), r)
      let at = d + <usize>j * stride + (<usize>i << 2)
      store<f32>(at, f32x4.extract_lane(r, 0)); at += stride
      store<f32>(at, f32x4.extract_lane(r, 1)); at += stride
      store<f32>(at, f32x4.extract_lane(r, 2)); at += stride
      store<f32>(at, f32x4.extract_lane(r, 3))
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
 * Batch-all (see `../triplets.ts`) of the rows that `group` has put in order. The gradient of a sum of hinges in d is a COUNT of active triplets:
 * it is added to s[i][j], made symmetric. Returns the sum of the hinges; *active (float64) is their number. Rows of d and s are
 * `ld` apart. scratch: 7 ld + 64 words, on a boundary of 16 bytes.
 */
export function batchAll(d: usize, order: usize, start: usize, classes: i32, ld: i32, margin: f32, s: usize, scratch: usize, active: usize): f64 {
  const stride = <usize>ld << 2, near = scratch, far = near + stride + 32, countFar = far + stride + 32, countNear = countFar + stride + 32
  const all = <usize>load<i32>(start + (<usize>classes << 2)), infinite = f32x4.splat(Infinity)
  let total: f64 = 0, sum: f64 = 0
  for (let c = 0; c < classes; c++) {
    const from = <usize>load<i32>(start + (<usize>c << 2)), to = <usize>load<i32>(start + (<usize>(c + 1) << 2))
    const members = to - from, negatives = all - members
    if (members < 8 || negatives == 0) continue
    for (let i = from; i < to; i += 4) {
      const a = <usize>load<i32>(order + i), row = d + (a >> 2) * stride, own = s + (a >> 2) * stride
      let f = far
      for (let q: usize = 0; q < from; q += 4) { store<f32>(f, load<f32>(row + load<i32>(order + q))); f += 4 }
      for (let q = to; q < all; q += 4) { store<f32>(f, load<f32>(row + load<i32>(order + q))); f += 4 }
      v128.store(f, infinite); v128.store(f, infinite, 16)
      for (let q: usize = 0; q < members; q += 4) store<f32>(near + q, load<f32>(row + load<i32>(order + from + q)) + margin)
      store<f32>(near + (i - from), -Infinity)
      memory.fill(countNear, 0, members << 2)
      for (let q: usize = 0; q < negatives; q += 32) {
        const f0 = v128.load(far + q), f1 = v128.load(far + q, 16)
        let n0 = i32x4.splat(0), n1 = n0, count = countNear
        for (let p = near; p < near + members; p += 4) {
          const x = v128.load32_splat(p), h0 = f32x4.lt(f0, x), h1 = f32x4.lt(f1, x)
          n0 = i32x4.add(n0, h0); n1 = i32x4.add(n1, h1)
          v128.store(count, i32x4.add(v128.load(count), i32x4.add(h0, h1)))
          count += 16
        }
        // A comparison that holds is -1: these are minus the counts, the gradient's sign.
        v128.store(countFar + q, f32x4.convert_i32x4_s(n0)); v128.store(countFar + q, f32x4.convert_i32x4_s(n1), 16)
      }
      for (let p: usize = 0; p < members; p += 4) {
        const v = v128.load(countNear + (p << 2))
        const k = -(i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3))
        if (k == 0) continue
        const j = <usize>load<i32>(order + from + p)
        total += <f64>k; sum += <f64>k * <f64>load<f32>(near + p)
        increase(own + j, <f32>k); increase(s + (j >> 2) * stride + a, <f32>k)
      }
      for (let q: usize = 0; q < negatives; q += 4) {
        const x = load<f32>(countFar + q)
        if (x == 0) continue
        const j = <usize>load<i32>(order + (q < from ? q : q + members))
        sum += <f64>x * <f64>load<f32>(far + q)
        increase(own + j, x); increase(s + (j >> 2) * stride + a, x)
      }
    }
  }
  store<f64>(active, total)
  return sum
}

/**
 * `batchAll` for large batches: the positives of an anchor sorted, each negative placed among them by bisection, the counts of the positives
 * as a running sum of those places. O(n log n) an anchor. The same counts; the sum of hinges is added up in another order.
 */
export function batchAllSorted(d: usize, order: usize, start: usize, classes: i32, ld: i32, margin: f32, s: usize, scratch: usize, active: usize): f64 {
  const stride = <usize>ld << 2, near = scratch, who = near + stride, places = who + stride
  const all = <usize>load<i32>(start + (<usize>classes << 2))
  let total: f64 = 0, sum: f64 = 0
  for (let c = 0; c < classes; c++) {
    const from = <usize>load<i32>(start + (<usize>c << 2)), to = <usize>load<i32>(start + (<usize>(c + 1) << 2))
    const members = to - from, negatives = all - members, positives = members - 4
    if (members < 8 || negatives == 0) continue
    for (let i = from; i < to; i += 4) {
      const a = <usize>load<i32>(order + i), row = d + (a >> 2) * stride, own = s + (a >> 2) * stride
      let at: usize = 0
      for (let q = from; q < to; q += 4) {
        if (q == i) continue
        const j = load<i32>(order + q)
        store<f32>(near + at, load<f32>(row + j) + margin)
        store<i32>(who + at, j)
        at += 4
      }
      sort(near, who, positives)
      memory.fill(places, 0, members)
      for (let q: usize = 0; q < all; q += 4) {
        if (q == from) { q += members; if (q >= all) break }
        const j = <usize>load<i32>(order + q), x = load<f32>(row + j)
        // The first positive that is farther than x.
        let low: usize = 0, count = positives >> 2
        while (count > 0) {
          const half = count >> 1, over = load<f32>(near + low + (half << 2)) <= x
          low = over ? low + (half << 2) + 4 : low
          count = over ? count - half - 1 : half
        }
        const k = <f32>((positives - low) >> 2)
        store<i32>(places + low, load<i32>(places + low) + 1)
        if (k == 0) continue
        sum -= <f64>k * <f64>x
        increase(own + j, -k); increase(s + (j >> 2) * stride + a, -k)
      }
      let running: i32 = 0
      for (let p: usize = 0; p < positives; p += 4) {
        running += load<i32>(places + p)
        if (running == 0) continue
        const j = <usize>load<i32>(who + p), k = <f32>running
        total += <f64>running; sum += <f64>running * <f64>load<f32>(near + p)
        increase(own + j, k); increase(s + (j >> 2) * stride + a, k)
      }
    }
  }
  store<f64>(active, total)
  return sum
}

/** Sorts `bytes` of float32 keys ascending, and the int32 values beside them: Shell's sort with gaps that grow by about 9/4. Equal keys may change places. */
function sort(keys: usize, values: usize, bytes: usize): void {
  let gap: usize = 4
  while (gap < bytes) gap = ((gap >> 2) * 9 / 4 + 1) << 2
  while (gap > 4) {
    gap = (((gap >> 2) - 1) * 4 / 9) << 2
    if (gap < 4) gap = 4
    for (let i = gap; i < bytes; i += 4) {
      const key = load<f32>(keys + i), value = load<i32>(values + i)
      let j = i
      while (j >= gap && load<f32>(keys + j - gap) > key) {
        store<f32>(keys + j, load<f32>(keys + j - gap))
        store<i32>(values + j, load<i32>(values + j - gap))
        j -= gap
      }
      store<f32>(keys + j, key)
      store<i32>(values + j, value)
    }
  }
}

/**
 * Batch-hard (see `../triplets.ts`): of each anchor the farthest positive and the nearest negative, the first where several are equal. Adds
 * the gradient in d, made symmetric, to s; returns the sum of the hinges over the rows with a label, whose number is *anchors (float64).
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
    if (p >= 0) { increase(s + <usize>a * stride + (<usize>p << 2), 1); increase(s + <usize>p * stride + (<usize>a << 2), 1) }
    increase(s + <usize>a * stride + (<usize>q << 2), -1); increase(s + <usize>q * stride + (<usize>a << 2), -1)
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

/** s := diag(row sums) - S with S = s / d, and 0 where d = 0: dL/dz is then s z, one more `multiply`. Rows of s and d are `ld` apart, n of them. */
export function laplacian(s: usize, d: usize, n: i32, ld: i32): void {
  const zero = f32x4.splat(0), stride = <usize>ld << 2
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
