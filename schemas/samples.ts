import { column, table } from "./table.ts"

/** The collection: one row a sample (an image, a crop or a window of a scene). */
export const Samples = table({
  name: "samples",
  description: "the collection: one row a sample (an image, a crop or a window of a scene)",
  key: ["sample_id"],
  columns: {
    sample_id: column("text", "unique name of the sample"),
    assets: column("assets", "files that hold its pixels, one a band or one for all"),
    window: column("vectors", "[x, y, width, height] in px of the first asset; NaN: the whole image", { optional: true, width: 4 }),
    label: column("optionalText", "class name", { optional: true }),
    labels: column("texts", "class names of a multi-label sample", { optional: true }),
    box: column("vectors", "[xmin, ymin, xmax, ymax] in px of the window; NaN: none", { optional: true, width: 4 }),
    lat: column("number", "degrees north, WGS84", { optional: true }),
    lon: column("number", "degrees east, WGS84", { optional: true }),
    time: column("time", "when the image was taken, UTC", { optional: true }),
    location: column("optionalText", "the place; images of one place on several dates share it", { optional: true })
  }
})
