/** The earth as a sphere: distances between coordinates and coordinates as points, so that neither the date line nor a pole is an edge. */

/** The earth's mean radius in metres (IUGG: a third of twice the equatorial and once the polar semi-axis of WGS 84). */
export const earthRadius = 6_371_008.8

const radians = Math.PI / 180

/**
 * The great-circle distance in metres between two places in degrees (haversine form, Sinnott 1984, which keeps its precision for
 * small distances; the sphere departs from the ellipsoid by at most 0.6 %). Not a number where a coordinate is not a number.
 */
export const greatCircle = (latA: number, lonA: number, latB: number, lonB: number): number => {
  const north = Math.sin(((latB - latA) * radians) / 2)
  const east = Math.sin(((lonB - lonA) * radians) / 2)
  const squared = north * north + Math.cos(latA * radians) * Math.cos(latB * radians) * east * east
  return 2 * earthRadius * Math.asin(Math.min(1, Math.sqrt(squared)))
}

/**
 * Places in degrees as points of the unit sphere: (cos lat cos lon, cos lat sin lon, sin lat), a row of three each, row-major
 * [n, 3] in float64. A longitude may leave [-180, 180]; a place with a coordinate that is not a number gives a row of NaN.
 */
export const unitVectors = (lat: ArrayLike<number>, lon: ArrayLike<number>): Float64Array => {
  if (lat.length !== lon.length) throw new RangeError(`a place is a latitude and a longitude: got ${lat.length} and ${lon.length} of them`)
  const points = new Float64Array(lat.length * 3)
  for (let row = 0; row < lat.length; row++) {
    const phi = lat[row]! * radians
    const lambda = lon[row]! * radians
    const across = Math.cos(phi)
    const known = Number.isNaN(lambda) ? Number.NaN : 1
    points[row * 3] = across * Math.cos(lambda)
    points[row * 3 + 1] = across * Math.sin(lambda)
    points[row * 3 + 2] = Math.sin(phi) * known
  }
  return points
}

/** The place in degrees of a direction of three components (of any length but 0): latitude, and longitude in (-180, 180]. */
export const placeOf = (x: number, y: number, z: number): { readonly lat: number; readonly lon: number } => ({
  lat: Math.atan2(z, Math.hypot(x, y)) / radians,
  lon: Math.atan2(y, x) / radians,
})

/** The length of the straight line through the unit sphere between two places that are so many metres apart along its surface. */
export const chordOf = (metres: number): number => 2 * Math.sin(Math.min(metres / (2 * earthRadius), Math.PI / 2))

/** Coordinates of samples in degrees; NaN: none. */
export interface Places {
  readonly sample_id: ReadonlyArray<string>
  readonly lat: Float64Array
  readonly lon: Float64Array
}

/** The first sample that is no place on earth, in words: latitude beyond ±90 or longitude beyond ±360 degrees; undefined: none. Those without coordinates pass. */
export const offEarth = ({ lat, lon, sample_id }: Places): string | undefined => {
  const row = lat.findIndex((north, row) => Math.abs(north) > 90 || Math.abs(lon[row]!) > 360)
  return row < 0 ? undefined : `sample ${sample_id[row]!} lies at latitude ${lat[row]!}, longitude ${lon[row]!}, which is not on earth; are the two swapped, or not in degrees?`
}

/** The rows of the samples with coordinates. */
export const placed = ({ lat, lon }: Places): Int32Array => Int32Array.from(lat.keys()).filter((row) => Number.isFinite(lat[row]) && Number.isFinite(lon[row]))
