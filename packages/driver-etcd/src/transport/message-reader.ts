/** Reads a protobuf message field by field. */
export class MessageReader {
  /** The number of the present field. */
  field = 0
  readonly #bytes: Buffer
  #at: number
  readonly #end: number
  #wire = 0

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  /** Goes to the next field; false at the end. What was not read of the present one has to be passed over by `passOver`. */
  next(): boolean {
    if (this.#at >= this.#end) return false
    const tag = this.number()
    this.field = tag >>> 3
    this.#wire = tag & 7
    return true
  }

  /** A number that is exact up to 2^53. */
  number(): number {
    let value = 0
    let factor = 1
    for (;;) {
      const byte = this.#bytes[this.#at++] as number
      value += (byte & 127) * factor
      if (byte < 128) return value
      factor *= 128
    }
  }

  /** A number of 64 bits, as text. */
  long(): string {
    let value = 0n
    let shift = 0n
    for (;;) {
      const byte = this.#bytes[this.#at++] as number
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asIntN(64, value).toString()
      shift += 7n
    }
  }

  /** Bytes, which are part of the whole message's. */
  bytes(): Buffer {
    const length = this.number()
    const from = this.#at
    this.#at += length
    return this.#bytes.subarray(from, this.#at)
  }

  /** A message inside of this one. */
  message(): MessageReader {
    const length = this.number()
    const from = this.#at
    this.#at += length
    return new MessageReader(this.#bytes, from, this.#at)
  }

  /** Passes over the present field. */
  passOver(): void {
    if (this.#wire === 0) this.number()
    else if (this.#wire === 2) this.bytes()
    else if (this.#wire === 1) this.#at += 8
    else this.#at += 4
  }
}
