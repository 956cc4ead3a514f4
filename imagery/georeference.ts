/** Where an image lies on the earth, and longitude and latitude of its pixels. */

/**
 * An axis-parallel grid in a coordinate reference system: pixel (x, y), counted from the outer corner of the first pixel, lies at
 * `origin + (x, y) * resolution`. Units are those of the CRS (metres, or degrees for EPSG:4326); resolution[1] is negative where north is up.
 */
export interface GeoReference {
  /** EPSG code; NaN: not given by code. */
  readonly epsg: number
  readonly origin: readonly [x: number, y: number]
  readonly resolution: readonly [x: number, y: number]
}

/** PROJ definitions of the reference systems that imagery comes in; proj4 carries no EPSG database. */
const definition = (epsg: number): string | undefined => {
  if (epsg === 4326) return "+proj=longlat +datum=WGS84 +no_defs"
  if (epsg === 3857) return "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m +nadgrids=@null +no_defs"
  if (epsg === 3395) return "+proj=merc +lon_0=0 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs"
  const zone = epsg % 100
  if (zone >= 1 && zone <= 60) {
    if (epsg - zone === 32600) return `+proj=utm +zone=${zone} +datum=WGS84 +units=m +no_defs`
    if (epsg - zone === 32700) return `+proj=utm +zone=${zone} +south +datum=WGS84 +units=m +no_defs`
    // NAD83 and ETRS89 differ from WGS84 by less than 2 m
    if (epsg - zone === 26900 && zone <= 23) return `+proj=utm +zone=${zone} +datum=NAD83 +units=m +no_defs`
    if (epsg - zone === 25800 && zone >= 28 && zone <= 38) return `+proj=utm +zone=${zone} +ellps=GRS80 +units=m +no_defs`
  }
  return undefined
}

/** Whether `locator` knows a reference system: EPSG 4326, 3857, 3395 and the UTM zones of WGS84, NAD83 and ETRS89. */
export const knows = (epsg: number): boolean => definition(epsg) !== undefined

const wgs84 = "+proj=longlat +datum=WGS84 +no_defs"

/**
 * A function from pixel coordinates (px from the outer corner of the first pixel, so the centre of a window is `x + width / 2`) to
 * degrees of WGS84, longitudes within -180 and 180 (an image in degrees may cross the date line). Both are NaN where the reference system is
 * not known, or a coordinate is not finite.
 */
export const locator = async (geo: GeoReference): Promise<(x: number, y: number) => { readonly lat: number; readonly lon: number }> => {
  const known = definition(geo.epsg)
  if (known === undefined) return () => ({ lat: Number.NaN, lon: Number.NaN })
  const proj4 = (await import("proj4")).default
  const projection = proj4(known, wgs84)
  return (x, y) => {
    const across = geo.origin[0] + x * geo.resolution[0], up = geo.origin[1] + y * geo.resolution[1]
    // proj4 throws at these
    if (!Number.isFinite(across) || !Number.isFinite(up)) return { lat: Number.NaN, lon: Number.NaN }
    const [lon, lat] = projection.forward([across, up])
    return { lat: lat!, lon: geo.epsg === 4326 ? wrapped(lon!) : lon! }
  }
}

/**
 * The other way: a function from degrees of WGS84 to the units of a reference system; NaN or infinite where it cannot show a place (the poles
 * of Mercator, a quarter of the earth away from a UTM zone). Undefined where the system is not known.
 */
export const projector = async (epsg: number): Promise<((lat: number, lon: number) => readonly [x: number, y: number]) | undefined> => {
  const known = definition(epsg)
  if (known === undefined) return undefined
  const proj4 = (await import("proj4")).default
  const projection = proj4(wgs84, known)
  return (lat, lon) => {
    const [x, y] = projection.forward([lon, lat])
    return [x!, y!]
  }
}

/** Pixel coordinates, px from the outer corner of the first pixel, of a position in the units of the grid's reference system. */
export const pixelAt = ({ origin, resolution }: GeoReference, [x, y]: readonly [x: number, y: number]): readonly [x: number, y: number] => [
  (x - origin[0]) / resolution[0],
  (y - origin[1]) / resolution[1]
]

/** A longitude up to a turn away, brought to -180..180; what lies farther off is none, and stays for `wrongDegrees` to say. */
export const wrapped = (lon: number): number => Math.abs(lon) > 180 && Math.abs(lon) <= 360 ? lon - 360 * Math.sign(lon) : lon

/** What is wrong with degrees of WGS84, in words; undefined: nothing, or they are not given (NaN). Swapped columns show where a longitude is no latitude. */
export const wrongDegrees = (lat: number, lon: number): string | undefined => {
  if (!(Math.abs(lat) > 90 || Math.abs(lon) > 180)) return undefined
  const swapped = Math.abs(lat) <= 180 && Math.abs(lon) <= 90
  const why = swapped ? "latitudes lie within -90 and 90; are the two swapped?" : "degrees of WGS84 lie within -90 and 90, -180 and 180; are these metres of a map?"
  return `latitude ${lat} and longitude ${lon}: ${why}`
}
