/**
 * Whether a pixel holds no value: it is not finite, or what its file declares as "no data" (NaN: nothing declared). Pixels are float32 once
 * they are read, so a declared 0.1 is met in its float32 form too.
 */
export const isHole = (value: number, nodata: number): boolean => !Number.isFinite(value) || value === nodata || value === Math.fround(nodata)
