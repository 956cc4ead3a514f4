// AssemblyScript (a TypeScript dialect), which `../build.ts` compiles to WebAssembly SIMD.
// The search for nearest neighbours of `../../math/neighbours.ts`. Pointers are byte offsets into the imported memory.

/** Sum of four lanes. */
function lanes(sum: v128): f32 {
  return (f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1)) + (f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3))
}

/**
 * Rounds rows x [n, d] to integers of -127..127 times a scale a row, into bytes: value (i, j) goes to `out + i * rowStep + j * step`, plus
 * `zero`. Of each row it stores the scale, the length of what rounding took away, the length of the integers, both a little rounded up
 * (float32 sums), and the integers' sum.
 */
export function quantise(x: usize, n: i32, d: i32, out: usize, rowStep: i32, step: i32, zero: i32, scales: usize, errors: usize, lengths: usize, sums: usize): void {
  for (let i = 0; i < n; i++) {
    let tops = f32x4.splat(0), j = 0
    for (; j <= d - 4; j += 4) tops = f32x4.max(tops, f32x4.abs(v128.load(x + (<usize>j << 2))))
    let largest: f32 = max<f32>(max<f32>(f32x4.extract_lane(tops, 0), f32x4.extract_lane(tops, 1)), max<f32>(f32x4.extract_lane(tops, 2), f32x4.extract_lane(tops, 3)))
    for (; j < d; j++) largest = max<f32>(largest, abs<f32>(load<f32>(x + (<usize>j << 2))))
    const scale: f32 = largest > 0 ? largest / 127 : 1, inverse: f32 = 1 / scale
    const vscale = f32x4.splat(scale), vinverse = f32x4.splat(inverse), vzero = i32x4.splat(zero)
    let rests = f32x4.splat(0), squares = f32x4.splat(0), totals = i32x4.splat(0)
    let to = out + <usize>i * rowStep
    for (j = 0; j <= d - 4; j += 4) {
      const value = v128.load(x), whole = f32x4.nearest(f32x4.mul(value, vinverse)), rest = f32x4.sub(value, f32x4.mul(whole, vscale))
      const integer = i32x4.trunc_sat_f32x4_s(whole), byte = i32x4.add(integer, vzero)
      rests = f32x4.add(rests, f32x4.mul(rest, rest))
      squares = f32x4.add(squares, f32x4.mul(whole, whole))
      totals = i32x4.add(totals, integer)
      store<i8>(to, i32x4.extract_lane(byte, 0))
      store<i8>(to + step, i32x4.extract_lane(byte, 1))
      store<i8>(to + 2 * step, i32x4.extract_lane(byte, 2))
      store<i8>(to + 3 * step, i32x4.extract_lane(byte, 3))
      to += 4 * step
      x += 16
    }
    let error = lanes(rests), square = lanes(squares)
    let sum = i32x4.extract_lane(totals, 0) + i32x4.extract_lane(totals, 1) + i32x4.extract_lane(totals, 2) + i32x4.extract_lane(totals, 3)
    for (; j < d; j++) {
      const value = load<f32>(x), whole: f32 = nearest<f32>(value * inverse), rest: f32 = value - whole * scale
      error += rest * rest
      square += whole * whole
      sum += <i32>whole
      store<i8>(to, <i32>whole + zero)
      to += step
      x += 4
    }
    store<f32>(scales, scale)
    store<f32>(errors, sqrt<f32>(error) * 1.0005 + largest * 1e-6)
    store<f32>(lengths, sqrt<f32>(square) * 1.0005)
    store<i32>(sums, sum)
    scales += 4; errors += 4; lengths += 4; sums += 4
  }
}

/** x [n, d] transposed into out [d, n]. */
export function transpose(x: usize, n: i32, d: i32, out: usize): void {
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) store<f32>(out + (<usize>(j * n + i) << 2), load<f32>(x + (<usize>(i * d + j) << 2)))
}

function dot32(a: usize, b: usize, d: i32): f32 {
  let s = f32x4.splat(0), t = s, u = s, v = s, j = 0
  for (; j <= d - 16; j += 16) {
    s = f32x4.add(s, f32x4.mul(v128.load(a), v128.load(b)))
    t = f32x4.add(t, f32x4.mul(v128.load(a, 16), v128.load(b, 16)))
    u = f32x4.add(u, f32x4.mul(v128.load(a, 32), v128.load(b, 32)))
    v = f32x4.add(v, f32x4.mul(v128.load(a, 48), v128.load(b, 48)))
    a += 64; b += 64
  }
  let sum = lanes(f32x4.add(f32x4.add(s, t), f32x4.add(u, v)))
  for (; j < d; j++) {
    sum += load<f32>(a) * load<f32>(b)
    a += 4; b += 4
  }
  return sum
}

/** Products of float32 are exact in float64, so this is the sum to float64, always in the same order. */
function dot64(a: usize, b: usize, d: i32): f64 {
  let s = f64x2.splat(0), t = s, u = s, v = s, j = 0
  for (; j <= d - 8; j += 8) {
    s = f64x2.add(s, f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(a)), f64x2.promote_low_f32x4(v128.load64_zero(b))))
    t = f64x2.add(t, f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(a, 8)), f64x2.promote_low_f32x4(v128.load64_zero(b, 8))))
    u = f64x2.add(u, f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(a, 16)), f64x2.promote_low_f32x4(v128.load64_zero(b, 16))))
    v = f64x2.add(v, f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(a, 24)), f64x2.promote_low_f32x4(v128.load64_zero(b, 24))))
    a += 32; b += 32
  }
  s = f64x2.add(f64x2.add(s, t), f64x2.add(u, v))
  let sum = f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1)
  for (; j < d; j++) {
    sum += <f64>load<f32>(a) * <f64>load<f32>(b)
    a += 4; b += 4
  }
  return sum
}

/**
 * Puts bank row `id` among the k best of a query where its similarity in float64 earns that: best first, the earlier row before an equal
 * later one. Gives the least of the k.
 */
function place(similarity: f64, id: i32, best: usize, ids: usize, k: i32): f64 {
  let at = k - 1
  if (!(similarity > load<f64>(best + (<usize>at << 3)))) return load<f64>(best + (<usize>at << 3))
  for (; at > 0 && load<f64>(best + (<usize>(at - 1) << 3)) < similarity; at--) {
    store<f64>(best + (<usize>at << 3), load<f64>(best + (<usize>(at - 1) << 3)))
    store<i32>(ids + (<usize>at << 2), load<i32>(ids + (<usize>(at - 1) << 2)))
  }
  store<f64>(best + (<usize>at << 3), similarity)
  store<i32>(ids + (<usize>at << 2), id)
  return load<f64>(best + (<usize>(k - 1) << 3))
}

/**
 * Goes through integer products s [n, q] (bank bytes, 128 too high each, by query integers; q a multiple of 4). A pair whose similarity can
 * be above the query's k-th best, |q^ e_x| <= |q^| |e_x| and |e_q x| <= |e_q| granted, is compared in float32, and in float64 where that
 * is within `slack`. Gives how many pairs were compared. For each query: its scale, |e_q|, |q^| and sum of integers; `limits` [q] is room.
 */
export function scanIntegers(
  s: usize, n: i32, q: i32, used: i32, first: i32, bank: usize, queries: usize, d: i32, scales: usize, errors: usize,
  queryScales: usize, queryErrors: usize, queryLengths: usize, querySums: usize, limits: usize, slack: f32, best: usize, ids: usize, k: i32
): i32 {
  let compared = 0
  // In units of the query's scale, the pair is passed over where s * scale + |q^| |e_x| is at most the limit.
  for (let c = 0; c < q; c++) {
    const at = <usize>c << 2
    const least: f64 = c < used ? load<f64>(best + (<usize>(c * k + k - 1) << 3)) : Infinity
    store<f32>(limits + at, (<f32>least - load<f32>(queryErrors + at) - slack) / load<f32>(queryScales + at))
  }
  const zero = i32x4.splat(128)
  for (let i = 0; i < n; i++) {
    const scale = f32x4.splat(load<f32>(scales + (<usize>i << 2))), error = f32x4.splat(load<f32>(errors + (<usize>i << 2)))
    const row = bank + (<usize>(i * d) << 2)
    for (let c = 0; c < q; c += 4) {
      const at = <usize>c << 2
      const product = i32x4.sub(v128.load(s + at), i32x4.mul(zero, v128.load(querySums + at)))
      const most = f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(product), scale), f32x4.mul(v128.load(queryLengths + at), error))
      let mask = i32x4.bitmask(f32x4.gt(most, v128.load(limits + at)))
      while (mask != 0) {
        const own = c + ctz(mask)
        mask &= mask - 1
        compared++
        const query = queries + (<usize>(own * d) << 2), top = best + (<usize>(own * k) << 3), to = <usize>own << 2
        if (dot32(row, query, d) + slack < <f32>load<f64>(top + (<usize>(k - 1) << 3))) continue
        const least = place(dot64(row, query, d), first + i, top, ids + (<usize>(own * k) << 2), k)
        store<f32>(limits + to, (<f32>least - load<f32>(queryErrors + to) - slack) / load<f32>(queryScales + to))
      }
    }
    s += <usize>q << 2
  }
  return compared
}

/** The same through float32 products s [n, q], each within `slack` of the similarity. */
export function scanFloats(s: usize, n: i32, q: i32, used: i32, first: i32, bank: usize, queries: usize, d: i32, limits: usize, slack: f32, best: usize, ids: usize, k: i32): void {
  for (let c = 0; c < q; c++) store<f32>(limits + (<usize>c << 2), c < used ? <f32>load<f64>(best + (<usize>(c * k + k - 1) << 3)) - slack : Infinity)
  for (let i = 0; i < n; i++) {
    const row = bank + (<usize>(i * d) << 2)
    for (let c = 0; c < q; c += 4) {
      let mask = i32x4.bitmask(f32x4.gt(v128.load(s + (<usize>c << 2)), v128.load(limits + (<usize>c << 2))))
      while (mask != 0) {
        const own = c + ctz(mask)
        mask &= mask - 1
        const least = place(dot64(row, queries + (<usize>(own * d) << 2), d), first + i, best + (<usize>(own * k) << 3), ids + (<usize>(own * k) << 2), k)
        store<f32>(limits + (<usize>own << 2), <f32>least - slack)
      }
    }
    s += <usize>q << 2
  }
}
