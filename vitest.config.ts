import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: { alias: { "outcrop/train": here("tensor/train.ts"), outcrop: here("outcrop.ts") } },
  test: { include: ["test/**/*.test.ts"], globalSetup: "test/scratch.ts", testTimeout: 60_000, hookTimeout: 60_000, maxWorkers: 2, isolate: false }
})
