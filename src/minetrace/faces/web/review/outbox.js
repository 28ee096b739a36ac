// What was said and is not yet known to be kept. Each thing lies under a key of its own in the
// browser's storage before it is sent, and goes only when the desk says that it has it; so neither
// a closed tab nor a dead server loses any, and sending one twice does no harm.

const PREFIX = "minetrace.review.said.";
const MOST_LETTERS = 1_000_000;

export class Outbox {
  constructor(desk, tell) {
    this.desk = desk;
    this.tell = tell; // called with how many wait, and a message if something is wrong
    this.sending = null;
    this.timer = 0;
  }

  put(item, kind, value, seconds, shown) {
    const said = {
      id: newId(), item, kind, value, seconds,
      said_at: new Date().toISOString(), shown,
    };
    const entry = { queue: this.desk.queue, who: this.desk.who, order: nextOrder(), said };
    localStorage.setItem(PREFIX + said.id, JSON.stringify(entry));
    this.tell(this.waiting().length, "");
    return this.flush();
  }

  // Entries of this queue and person, in the order in which they were said.
  waiting() {
    return Object.keys(localStorage)
      .filter((key) => key.startsWith(PREFIX))
      .map((key) => JSON.parse(localStorage.getItem(key)))
      .filter((entry) => entry && entry.queue === this.desk.queue && entry.who === this.desk.who)
      .sort((a, b) => a.order - b.order);
  }

  items() {
    return this.waiting().filter((e) => e.said.kind !== "note").map((e) => e.said.item);
  }

  // True when all is with the desk.
  flush() {
    this.sending = (this.sending || Promise.resolve()).then(() => this.#send());
    return this.sending;
  }

  async #send() {
    clearTimeout(this.timer);
    const entries = firstOf(this.waiting());
    if (!entries.length) {
      this.tell(0, "");
      return true;
    }
    let answer;
    try {
      answer = await this.desk.say(entries.map((entry) => entry.said));
    } catch (error) {
      this.tell(entries.length, error.message);
      this.timer = setTimeout(() => this.flush(), 2000);
      return false;
    }
    for (const id of answer.stored) localStorage.removeItem(PREFIX + id);
    const refused = Object.entries(answer.refused);
    for (const [id] of refused) {
      const key = PREFIX + id;
      localStorage.setItem(key.replace(".said.", ".refused."), localStorage.getItem(key));
      localStorage.removeItem(key);
    }
    const left = this.waiting().length;
    this.tell(left, refused.map(([, why]) => why).join("; "));
    return left ? this.#send() : true;
  }
}

// As many as one request may hold, in order; outlines can be long.
function firstOf(entries) {
  let size = 0;
  const fits = (entry) => (size += JSON.stringify(entry).length) < MOST_LETTERS;
  return entries.filter((entry, place) => fits(entry) || place === 0).slice(0, 100);
}

function nextOrder() {
  const order = Math.max(Date.now(), Number(localStorage.getItem("minetrace.review.order")) + 1);
  localStorage.setItem("minetrace.review.order", String(order));
  return order;
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
