// AssemblyScript (a TypeScript dialect), which `../build.ts` compiles to WebAssembly SIMD.
// Softmax and negative log likelihood over blocks of scores, float32. Pointers are byte offsets into the imported memory.

/**
 * e^x for x <= 0, to 2 units in the last place (the polynomial of Cephes' expf, S. Moshier); 0 below -87. WebAssembly fixes the result of
 * every operation here, so the bits are the same on every CPU.
 */
function exp(x: v128): v128 {
  const low = f32x4.max(x, f32x4.splat(-87.3))
  const n = f32x4.nearest(f32x4.mul(low, f32x4.splat(1.44269504)))
  const r = f32x4.sub(f32x4.sub(low, f32x4.mul(n, f32x4.splat(0.693359375))), f32x4.mul(n, f32x4.splat(-2.12194440e-4)))
  let p = f32x4.add(f32x4.mul(f32x4.splat(1.9875691500e-4), r), f32x4.splat(1.3981999507e-3))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1))
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.5))
  p = f32x4.add(f32x4.add(f32x4.mul(f32x4.mul(p, r), r), r), f32x4.splat(1))
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23)
  return v128.and(f32x4.mul(p, power), f32x4.ge(x, f32x4.splat(-87.3)))
}

/**
 * Adds the intercepts [r] to the scores z [n, r], in place, and turns them into d loss / d z for class ids y [n] and float64 weights [n]
 * (0: all 1), whose sums it adds to the float64 slopes [r]. Gives the loss, sum of weight * negative log likelihood, in float64.
 * r is a multiple of 4: columns beyond the classes have intercepts so low (-1e30) that they take no part.
 */
export function residuals(z: usize, intercepts: usize, y: usize, weights: usize, slopes: usize, n: i32, r: i32): f64 {
  let loss: f64 = 0
  const end = <usize>r << 2
  for (let i = 0; i < n; i++) {
    let tops = f32x4.splat(-Infinity)
    for (let at: usize = 0; at < end; at += 16) {
      const score = f32x4.add(v128.load(z + at), v128.load(intercepts + at))
      v128.store(z + at, score)
      tops = f32x4.max(tops, score)
    }
    const top: f32 = max<f32>(max<f32>(f32x4.extract_lane(tops, 0), f32x4.extract_lane(tops, 1)), max<f32>(f32x4.extract_lane(tops, 2), f32x4.extract_lane(tops, 3)))
    const own = z + (<usize>load<i32>(y) << 2), margin = <f64>top - <f64>load<f32>(own), shift = f32x4.splat(top)
    let sums = f32x4.splat(0)
    for (let at: usize = 0; at < end; at += 16) {
      const share = exp(f32x4.sub(v128.load(z + at), shift))
      v128.store(z + at, share)
      sums = f32x4.add(sums, share)
    }
    const sum = <f64>f32x4.extract_lane(sums, 0) + <f64>f32x4.extract_lane(sums, 1) + <f64>f32x4.extract_lane(sums, 2) + <f64>f32x4.extract_lane(sums, 3)
    const weight: f64 = weights == 0 ? 1 : load<f64>(weights)
    loss += weight * (Math.log(sum) + margin)
    const scale = f32x4.splat(<f32>(weight / sum))
    for (let at: usize = 0; at < end; at += 16) v128.store(z + at, f32x4.mul(v128.load(z + at), scale))
    store<f32>(own, load<f32>(own) - <f32>weight)
    for (let at: usize = 0; at < end; at += 16) {
      const share = v128.load(z + at), to = slopes + (at << 1)
      v128.store(to, f64x2.add(v128.load(to), f64x2.promote_low_f32x4(share)))
      v128.store(to + 16, f64x2.add(v128.load(to + 16), f64x2.promote_low_f32x4(v128.shuffle<i64>(share, share, 1, 0))))
    }
    z += end
    y += 4
    if (weights != 0) weights += 8
  }
  return loss
}
