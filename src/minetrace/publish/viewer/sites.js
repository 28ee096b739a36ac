/* Sites by number, in the order of their names. Of a large run most lie on shelves, opened on demand. */
(function (app) {
  "use strict";

  const KINDS = ["mined", "footprint"];
  const SEEN = 0;
  const INFERRED = 3; // outlined, though nobody looked: other periods say so

  function row(packed, events) {
    if (!packed) return null;
    const [ha, kind, event, looked, mean, max, parents, state] = packed;
    return {
      ha, kind: KINDS[kind], event: event === null ? null : events[event], looked, mean, max, parents,
      state, seen: ha !== null, inferred: state === INFERRED,
    };
  }

  function unpack(number, packed, events) {
    const [id, first, last, firstP, lastP, verified, name, box, rows] = packed;
    return { number, id, first, last, firstP, lastP, verified, name, box, rows: rows.map((one) => row(one, events)) };
  }

  /** The period whose outline stands for a site: its own, or the nearest before, or after. */
  app.standsFor = (site, at) => {
    const has = (i) => site.rows[i] && [SEEN, INFERRED].includes(site.rows[i].state);
    for (let i = at; i >= 0; i--) if (has(i)) return i;
    return site.rows.findIndex((_, i) => has(i));
  };

  app.sites = (data) => {
    const known = new Map(
      Object.entries(data.known).map(([s, packed]) => [Number(s), unpack(Number(s), packed, data.events)]));
    const shelves = data.shelves;

    async function open(shelf) {
      const records = await app.part(`sites/${String(shelf).padStart(5, "0")}`);
      records.forEach((packed, i) => {
        const number = shelf * shelves.size + i;
        if (!known.has(number)) known.set(number, unpack(number, packed, data.events));
      });
    }

    /* The last shelf that begins at or before a name. */
    function shelfOf(name) {
      let low = 0;
      let high = shelves.names.length;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (shelves.names[middle] <= name) low = middle;
        else high = middle;
      }
      return low;
    }

    const peek = (number) => known.get(number) || null;

    async function get(number) {
      if (!known.has(number)) await open(Math.floor(number / shelves.size));
      return peek(number);
    }

    async function startingWith(text, limit) {
      if (shelves && shelves.names.length) {
        const shelf = shelfOf(text);
        await open(shelf);
        if (shelf + 1 < shelves.names.length && shelves.names[shelf + 1].startsWith(text)) await open(shelf + 1);
      }
      const lower = text.toLowerCase();
      const found = [...known.values()].filter(
        (site) => site.id.startsWith(text) || (site.name && site.name.toLowerCase().includes(lower)));
      return found.sort((a, b) => a.number - b.number).slice(0, limit);
    }

    async function find(id) {
      const found = await startingWith(id, Infinity);
      const site = found.find((one) => one.id === id);
      return site ? site.number : null;
    }

    return { count: data.count, peek, get, find, startingWith };
  };
})((window.minetraceApp = window.minetraceApp || {}));
