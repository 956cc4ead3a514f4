// AssemblyScript (a TypeScript dialect) -> WebAssembly SIMD: the optimisers' pass over flat vectors of float32.
// Every pointer is a byte offset into the imported memory; `n` counts values. `../build.ts` compiles this file.
//
// Each value goes through the same IEEE operations in the four-wide loop and in the tail, so a weight's bits depend neither on its place
// nor on the CPU: WebAssembly fuses no multiply with an add.

/**
 * Adam as in torch.optim.Adam with its defaults (betas 0.9 and 0.999, epsilon 1e-8 outside the root, bias-corrected, no decay).
 * rate = learning rate / (1 - 0.9^t), root = 1 / sqrt(1 - 0.999^t). First moments below 1e-30 are flushed to 0: a loss of 0 would let them
 * decay into denormals, which cost a third of the speed.
 */
export function adam(g: usize, w: usize, m: usize, v: usize, n: i32, rate: f32, root: f32): void {
  const b1: f32 = 0.9, c1: f32 = 0.1, b2: f32 = 0.999, c2: f32 = 0.001, epsilon: f32 = 1e-8
  const vb1 = f32x4.splat(b1), vb2 = f32x4.splat(b2), vc1 = f32x4.splat(c1), vc2 = f32x4.splat(c2)
  const vrate = f32x4.splat(rate), vroot = f32x4.splat(root), vepsilon = f32x4.splat(epsilon), tiny = f32x4.splat(1e-30)
  let i = 0
  for (; i <= n - 4; i += 4) {
    const gradient = v128.load(g)
    const raw = f32x4.add(f32x4.mul(vb1, v128.load(m)), f32x4.mul(vc1, gradient))
    const first = v128.andnot(raw, f32x4.lt(f32x4.abs(raw), tiny))
    const second = f32x4.add(f32x4.mul(vb2, v128.load(v)), f32x4.mul(f32x4.mul(vc2, gradient), gradient))
    v128.store(m, first)
    v128.store(v, second)
    v128.store(w, f32x4.sub(v128.load(w), f32x4.div(f32x4.mul(vrate, first), f32x4.add(f32x4.mul(f32x4.sqrt(second), vroot), vepsilon))))
    g += 16; w += 16; m += 16; v += 16
  }
  for (; i < n; i++) {
    const gradient = load<f32>(g)
    const raw: f32 = b1 * load<f32>(m) + c1 * gradient
    const first: f32 = abs<f32>(raw) < 1e-30 ? 0 : raw
    const second: f32 = b2 * load<f32>(v) + c2 * gradient * gradient
    store<f32>(m, first)
    store<f32>(v, second)
    store<f32>(w, load<f32>(w) - rate * first / (sqrt<f32>(second) * root + epsilon))
    g += 4; w += 4; m += 4; v += 4
  }
}

/** Stochastic gradient descent with momentum as in torch.optim.SGD: m = momentum m + g, w = w - rate m. Flushes m as `adam` does. */
export function sgd(g: usize, w: usize, m: usize, n: i32, rate: f32, momentum: f32): void {
  const vrate = f32x4.splat(rate), vmomentum = f32x4.splat(momentum), tiny = f32x4.splat(1e-30)
  let i = 0
  for (; i <= n - 4; i += 4) {
    const raw = f32x4.add(f32x4.mul(vmomentum, v128.load(m)), v128.load(g))
    const first = v128.andnot(raw, f32x4.lt(f32x4.abs(raw), tiny))
    v128.store(m, first)
    v128.store(w, f32x4.sub(v128.load(w), f32x4.mul(vrate, first)))
    g += 16; w += 16; m += 16
  }
  for (; i < n; i++) {
    const raw: f32 = momentum * load<f32>(m) + load<f32>(g)
    const first: f32 = abs<f32>(raw) < 1e-30 ? 0 : raw
    store<f32>(m, first)
    store<f32>(w, load<f32>(w) - rate * first)
    g += 4; w += 4; m += 4
  }
}
