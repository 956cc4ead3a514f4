// AssemblyScript (a TypeScript dialect), which `../build.ts` compiles to WebAssembly SIMD.
// Products and the Cholesky factor of float64 matrices, row-major. Pointers are byte offsets into the imported memory, strides count values.
// WebAssembly fuses no multiply with an add, so the bits are the same on every CPU.

function lanes(sum: v128): f64 {
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1)
}
function dot(a: usize, b: usize, n: i32): f64 {
  let sum = f64x2.splat(0), p = 0
  for (; p <= n - 2; p += 2) {
    sum = f64x2.add(sum, f64x2.mul(v128.load(a), v128.load(b)))
    a += 16; b += 16
  }
  return p < n ? lanes(sum) + load<f64>(a) * load<f64>(b) : lanes(sum)
}

/** out [n, m] += sign * a [n, length] times the transpose of b [m, length]; four rows of a by two of b at a time share their loads. */
export function add(a: usize, aStride: i32, n: i32, b: usize, bStride: i32, m: i32, length: i32, out: usize, outStride: i32, sign: f64): void {
  const as = <usize>aStride << 3, bs = <usize>bStride << 3, os = <usize>outStride << 3
  let i = 0
  for (; i <= n - 4; i += 4) {
    const a0 = a + <usize>i * as, a1 = a0 + as, a2 = a1 + as, a3 = a2 + as
    let j = 0
    for (; j <= m - 2; j += 2) {
      const b0 = b + <usize>j * bs, b1 = b0 + bs
      let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0
      let at: usize = 0, p = 0
      for (; p <= length - 2; p += 2) {
        const v = v128.load(b0 + at), w = v128.load(b1 + at)
        let x = v128.load(a0 + at)
        s0 = f64x2.add(s0, f64x2.mul(x, v)); t0 = f64x2.add(t0, f64x2.mul(x, w))
        x = v128.load(a1 + at)
        s1 = f64x2.add(s1, f64x2.mul(x, v)); t1 = f64x2.add(t1, f64x2.mul(x, w))
        x = v128.load(a2 + at)
        s2 = f64x2.add(s2, f64x2.mul(x, v)); t2 = f64x2.add(t2, f64x2.mul(x, w))
        x = v128.load(a3 + at)
        s3 = f64x2.add(s3, f64x2.mul(x, v)); t3 = f64x2.add(t3, f64x2.mul(x, w))
        at += 16
      }
      let e0 = lanes(s0), e1 = lanes(s1), e2 = lanes(s2), e3 = lanes(s3), f0 = lanes(t0), f1 = lanes(t1), f2 = lanes(t2), f3 = lanes(t3)
      if (p < length) {
        const v = load<f64>(b0 + at), w = load<f64>(b1 + at)
        e0 += load<f64>(a0 + at) * v; f0 += load<f64>(a0 + at) * w
        e1 += load<f64>(a1 + at) * v; f1 += load<f64>(a1 + at) * w
        e2 += load<f64>(a2 + at) * v; f2 += load<f64>(a2 + at) * w
        e3 += load<f64>(a3 + at) * v; f3 += load<f64>(a3 + at) * w
      }
      let o = out + <usize>i * os + (<usize>j << 3)
      store<f64>(o, load<f64>(o) + sign * e0); store<f64>(o + 8, load<f64>(o + 8) + sign * f0)
      o += os
      store<f64>(o, load<f64>(o) + sign * e1); store<f64>(o + 8, load<f64>(o + 8) + sign * f1)
      o += os
      store<f64>(o, load<f64>(o) + sign * e2); store<f64>(o + 8, load<f64>(o + 8) + sign * f2)
      o += os
      store<f64>(o, load<f64>(o) + sign * e3); store<f64>(o + 8, load<f64>(o + 8) + sign * f3)
    }
    if (j < m) {
      for (let q = i; q < i + 4; q++) {
        const o = out + <usize>q * os + (<usize>j << 3)
        store<f64>(o, load<f64>(o) + sign * dot(a + <usize>q * as, b + <usize>j * bs, length))
      }
    }
  }
  for (; i < n; i++) {
    for (let j = 0; j < m; j++) {
      const o = out + <usize>i * os + (<usize>j << 3)
      store<f64>(o, load<f64>(o) + sign * dot(a + <usize>i * as, b + <usize>j * bs, length))
    }
  }
}

/** Adds the lower triangle of a a^T to out [n, n], for a [n, m]; tile by tile, so that the rows of a tile stay in the cache. */
export function gram(a: usize, n: i32, m: i32, out: usize): void {
  const tile = 32
  for (let i = 0; i < n; i += tile) {
    const rows = min(tile, n - i)
    for (let j = 0; j <= i; j += tile) {
      add(a + (<usize>(i * m) << 3), m, rows, a + (<usize>(j * m) << 3), m, min(tile, n - j), m, out + (<usize>(i * n + j) << 3), n, 1)
    }
  }
}

/**
 * Replaces the lower triangle of a symmetric a [n, n] by its Cholesky factor, tile column by tile column: what the columns to the left take
 * from a tile is one product of rows. Gives 0 where the matrix is not positive definite in float64, else 1.
 */
export function cholesky(a: usize, n: i32): i32 {
  const tile = 32, stride = <usize>n << 3
  for (let j = 0; j < n; j += tile) {
    const width = min(tile, n - j), head = a + <usize>j * stride
    for (let i = j; i < n; i += tile) add(a + <usize>i * stride, n, min(tile, n - i), head, n, width, j, a + <usize>i * stride + (<usize>j << 3), n, -1)
    for (let i = j; i < n; i++) {
      const row = a + <usize>i * stride + (<usize>j << 3), last = min(i - j, width)
      for (let c = 0; c < last; c++) {
        const pivot = head + <usize>c * stride + (<usize>j << 3)
        const at = row + (<usize>c << 3)
        store<f64>(at, (load<f64>(at) - dot(row, pivot, c)) / load<f64>(pivot + (<usize>c << 3)))
      }
      if (i >= j + width) continue
      const at = row + (<usize>last << 3), square = load<f64>(at) - dot(row, row, last)
      if (!(square > 0)) return 0
      store<f64>(at, Math.sqrt(square))
    }
  }
  return 1
}

/** Solves l l^T s = b for each row b of [k, n], in place; l [n, n] is a lower triangle. */
export function solve(l: usize, n: i32, b: usize, k: i32): void {
  const stride = <usize>n << 3
  for (let i = 0; i < n; i++) {
    const row = l + <usize>i * stride, pivot = load<f64>(row + (<usize>i << 3))
    for (let t = 0; t < k; t++) {
      const own = b + <usize>t * stride, at = own + (<usize>i << 3)
      store<f64>(at, (load<f64>(at) - dot(row, own, i)) / pivot)
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    const row = l + <usize>i * stride, pivot = load<f64>(row + (<usize>i << 3))
    for (let t = 0; t < k; t++) {
      const own = b + <usize>t * stride, at = own + (<usize>i << 3), value = load<f64>(at) / pivot, lanes = f64x2.splat(value)
      store<f64>(at, value)
      let p: usize = 0, left = i
      for (; left >= 2; left -= 2) {
        v128.store(own + p, f64x2.sub(v128.load(own + p), f64x2.mul(lanes, v128.load(row + p))))
        p += 16
      }
      if (left > 0) store<f64>(own + p, load<f64>(own + p) - value * load<f64>(row + p))
    }
  }
}
