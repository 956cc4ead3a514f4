/**
 * What stands in a closure where it reached for clock, randomness or environment (`engine/closure.ts` puts the names in): each says, when
 * it is called, why a result may not depend on it and what to use.
 */
const refuse = (what: string, instead: string) => () => {
  throw new Error(`a stage may not use ${what}: its result would not be covered by its key. ${instead}`)
}
const randomness = refuse("Math.random or crypto's random values", "Draw from stream(seed, ...) of its own seed parameter")
const clock = refuse("the clock", "Time belongs to the action, which records when the stage ran and how long it took")
const network = refuse("the network", "Files come through Files, from below the data root")
const environment = refuse("process.env", "Make it a parameter")

class KnownDate extends Date {
  constructor(...given: ReadonlyArray<unknown>) {
    if (given.length === 0) clock()
    super(...(given as [string]))
  }
  static override now(): number {
    return clock()
  }
}

/** Puts the stand-ins in place; every thread that loads closures does so once. */
export const installSandbox = (): void => {
  Object.assign(globalThis, {
    outcrop$random: randomness,
    outcrop$clock: clock,
    outcrop$network: network,
    outcrop$environment: new Proxy({}, { get: environment, has: environment, ownKeys: environment }),
    outcrop$Date: KnownDate
  })
}
