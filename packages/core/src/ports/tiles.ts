/** One tile of a log (C2SP tlog-tiles): `width` hashes of a level, or `width` entries. */
export interface Tile {
  readonly level: number | 'entries'
  /** From 0, within the level. */
  readonly index: number
  /** 1 to 256; below 256 at the right edge of a tree alone. */
  readonly width: number
}

/** Where the tiles of a log are read: its own store, or another kernel over HTTP. */
export interface Tiles {
  /** The newest published checkpoint, a signed note; undefined before the first. */
  checkpoint(): Promise<Uint8Array | undefined>
  /** The bytes of exactly this tile; undefined when the log does not reach so far. */
  tile(tile: Tile): Promise<Uint8Array | undefined>
}
