/* Tiles of a large run: by ranges of bytes from a host that knows them, else by parts beside the page. */
(function (app) {
  "use strict";

  const KEPT_CHUNKS = 48; // of half a megabyte each

  function decoded(code) {
    const text = atob(code);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
  }

  /* The archive as it lies in parts; the chunks used last are kept. */
  function parts(tiles) {
    const kept = new Map();

    function chunk(number) {
      const found = kept.get(number)
        || app.passingPart(`${tiles.parts}/${String(number).padStart(5, "0")}`).then(decoded);
      kept.delete(number);
      kept.set(number, found);
      if (kept.size > KEPT_CHUNKS) kept.delete(kept.keys().next().value);
      return found;
    }

    return async (offset, length) => {
      const end = Math.min(offset + length, tiles.bytes);
      const first = Math.floor(offset / tiles.chunk);
      const last = Math.floor((end - 1) / tiles.chunk);
      const chunks = await Promise.all(Array.from({ length: last - first + 1 }, (_, i) => chunk(first + i)));
      const bytes = new Uint8Array(end - offset);
      chunks.forEach((piece, i) => {
        const begin = (first + i) * tiles.chunk;
        const part = piece.subarray(Math.max(0, offset - begin), Math.min(piece.length, end - begin));
        bytes.set(part, Math.max(begin, offset) - offset);
      });
      return { data: bytes.buffer };
    };
  }

  /* Resolves to null where the host does not know ranges. */
  async function range(url, offset, length) {
    const stop = new AbortController();
    const answer = await fetch(url, { headers: { range: `bytes=${offset}-${offset + length - 1}` }, signal: stop.signal });
    if (answer.status === 206) return { data: await answer.arrayBuffer() };
    stop.abort();
    return null;
  }

  function source(tiles) {
    const fromParts = parts(tiles);
    let ranges = location.protocol !== "file:";
    return {
      getKey: () => "panel",
      async getBytes(offset, length) {
        const found = ranges && (await range(tiles.name, offset, Math.min(length, tiles.bytes - offset)).catch(() => null));
        if (found) return found;
        ranges = false;
        return fromParts(offset, length);
      },
    };
  }

  /** Let the map read the archive; returns the address of its tiles. */
  app.openTiles = (tiles) => {
    const protocol = new pmtiles.Protocol();
    protocol.add(new pmtiles.PMTiles(source(tiles)));
    maplibregl.addProtocol("pmtiles", protocol.tile);
    return "pmtiles://panel/{z}/{x}/{y}";
  };
})((window.minetraceApp = window.minetraceApp || {}));
