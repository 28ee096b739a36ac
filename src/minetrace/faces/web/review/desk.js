// What the page asks of the desk behind it.

export class Away extends Error {}
export class Refused extends Error {}

export class Desk {
  constructor() {
    this.who = "";
    this.token = "";
    this.queue = "";
  }

  async meet() {
    const found = await this.#json("api/who");
    this.queue = found.queue;
    return found;
  }

  next(disputes, skip) {
    const query = new URLSearchParams({ disputes });
    for (const item of skip.slice(-100)) query.append("skip", item);
    return this.#json(`api/next?${query}`);
  }

  back() {
    return this.#json("api/back");
  }

  agreement() {
    return this.#json("api/agreement");
  }

  outlines(number) {
    return this.#json(`api/items/${number}/outlines`);
  }

  say(said) {
    return this.#json("api/said", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ queue: this.queue, said }),
    });
  }

  // A picture as { url, sha256 }; null where the run kept none.
  async picture(number, when, zoom) {
    const answer = await this.#ask(`api/items/${number}/${when}/${zoom}`);
    if (answer.status === 404) return null;
    await refuse(answer);
    const url = URL.createObjectURL(await answer.blob());
    return { url, sha256: answer.headers.get("x-picture-sha256") };
  }

  async #json(path, options = {}) {
    const answer = await this.#ask(path, options);
    await refuse(answer);
    return answer.json();
  }

  async #ask(path, options = {}) {
    const headers = { ...options.headers, "X-Minetrace-Who": encodeURIComponent(this.who) };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    try {
      return await fetch(path, { ...options, headers });
    } catch {
      throw new Away("The desk does not answer");
    }
  }
}

async function refuse(answer) {
  if (answer.ok) return;
  const told = await answer.json().catch(() => ({}));
  const words = typeof told.detail === "string" ? told.detail : `the desk says ${answer.status}`;
  if (answer.status >= 500 || answer.status === 429) throw new Away(words);
  throw new Refused(words);
}
