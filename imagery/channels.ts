/**
 * Gives an encoder another number of bands than it was trained on. What is usually done to the weights of its first layer is done to its
 * input here, which is the same and needs no other model: a linear layer with the weights w'_c of k bands, made of the weights w_o of n
 * channels, gives sum_c w'_c x_c = sum_o w_o y_o, where each plane y_o is a fixed mixture of the bands x_c.
 *
 * - `repeat`: band c takes the weights of channel c mod n, scaled by n / k (timm's `adapt_input_conv`, which knows n = 3). So plane o is
 *   n / k times the sum of the bands c = o mod n, and 0 where fewer bands than channels leave none. One band alone goes to every channel
 *   as it is (timm sums the weights).
 * - `average`: every band takes the mean of the channels' weights, scaled by n / k. So every plane is the mean of the bands.
 *
 * The two are the same as far as the first layer is linear in what it is given. An encoder that subtracts its own mean inside its graph has
 * that subtracted from the mixture: the same again with `average`, and with `repeat` where k is a multiple of n, for there the shares sum to 1.
 */
import * as Schema from "effect/Schema"

/** How bands are brought to a model's channels where there are more or fewer. */
export const Channels = Schema.Literals(["repeat", "average"]).annotate({
  description: "only where the model takes another number of channels than there are bands: repeat gives band c the weights of channel c mod n, average gives each band their mean, both scaled by n / bands"
})
export type Channels = typeof Channels.Type

/** Mixes `bands` planes, one after the other in `values`, into `channels` planes. */
export const mixed = (values: Float32Array, bands: number, channels: number, how: Channels): Float32Array => {
  const size = values.length / bands
  const out = new Float32Array(channels * size)
  const all = Array.from({ length: bands }, (_, c) => c)
  for (let o = 0; o < channels; o++) {
    const alike = how === "average" || bands === 1
    const taken = alike ? all : all.filter((c) => c % channels === o), share = (alike ? 1 : channels) / bands
    for (let i = 0; i < size; i++) {
      let sum = 0
      for (const c of taken) sum += values[c * size + i]!
      out[o * size + i] = share * sum
    }
  }
  return out
}

/** What `mixed` does, in words; `bands` undefined: as many as a picture has. */
export const inWords = (bands: number | undefined, channels: number, how: Channels): string => {
  const given = bands === undefined ? "all bands of a picture" : `${bands} bands`
  if (bands === channels) return `channels: ${how} changes nothing: the model takes ${channels} channels, and ${given} are given`
  if (bands === 1) return `channels: ${how}: the one band goes to each of the model's ${channels} channels`
  const scale = `${channels} / ${bands ?? "their number"}`
  return how === "repeat"
    ? `channels: repeat: ${given} for the model's ${channels} channels: band c (from 0) takes the weights of channel c mod ${channels}, times ${scale}`
    : `channels: average: ${given} for the model's ${channels} channels: each takes the mean of their weights, times ${scale}`
}
