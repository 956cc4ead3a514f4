/**
 * Writes Arrow IPC files of any size, in parts. apache-arrow rounds lengths up with operations on int32, so that a column of 2 GiB would be written
 * with a negative length; and it joins all parts to one array, a second copy. Below 2 GiB the bytes are those of `RecordBatchFileWriter`.
 */
import { AsyncByteQueue, type RecordBatch, RecordBatchFileWriter } from "apache-arrow"

/** Buffers begin and end at multiples of 8 bytes. */
const padded = (bytes: number) => Math.ceil(bytes / 8) * 8

class Writer extends RecordBatchFileWriter {
  protected override _assembleRecordBatch(batch: Parameters<RecordBatchFileWriter["_assembleRecordBatch"]>[0]) {
    const assembled = super._assembleRecordBatch(batch)
    let byteLength = 0
    for (const [i, region] of assembled.bufferRegions.entries()) {
      Object.assign(region, { offset: byteLength, length: padded(assembled.buffers[i]!.byteLength) })
      byteLength += region.length
    }
    return { ...assembled, byteLength }
  }

  protected override _writeBodyBuffers(buffers: Array<ArrayBufferView>): this {
    for (const buffer of buffers) {
      this._write(buffer)
      this._writePadding(padded(buffer.byteLength) - buffer.byteLength)
    }
    return this
  }
}

/** What a writer writes, as it comes: large arrays are views of the columns. */
class Parts extends AsyncByteQueue {
  readonly list: Array<Uint8Array> = []
  override write(part: Uint8Array): void {
    if (part.length > 0) this.list.push(part)
  }
}

/** The parts of a file of one record batch; the large ones are views of its columns. */
export const partsOf = (batch: RecordBatch): ReadonlyArray<Uint8Array> => {
  const writer = new Writer(), parts = new Parts()
  writer.reset(parts, batch.schema)
  writer.write(batch)
  writer.finish()
  return parts.list
}
