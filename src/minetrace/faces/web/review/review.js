// The page at which people say what they see. It shows one item at a time, takes an answer by key or
// button and goes on. Words from the run are only ever put in as text.

import { Away, Desk, Refused } from "./desk.js";
import { Outbox } from "./outbox.js";
import { OutlineEdit } from "./outline.js";
import { Pane } from "./pane.js";

const $ = (id) => document.getElementById(id);
const VERDICTS = ["mine", "not", "unsure"];
const WORDS = { mine: ["Mine ", "All "], not: ["Not ", "None "] }; // of points, of blocks
const TENTHS = [1, 2, 3, 4, 5, 6, 7, 8, 9];

const desk = new Desk();
const outbox = new Outbox(desk, tellKept);
const state = { item: null, zoom: 0, outlines: null, edit: null, disputes: false, busy: false };
let seen = new Map(); // pictures that were on the screen for this item
let panes = {};
let clock = { since: 0, spent: 0 };

async function start() {
  wire();
  const local = await patiently(() => desk.meet());
  desk.token = sessionStorage.getItem("minetrace.review.token") || "";
  const name = local.local ? localStorage.getItem("minetrace.review.name") || "" : "";
  if (!local.local && desk.token) {
    const again = await patiently(() => desk.meet()).catch(() => ({ name: null }));
    if (again.name) return begin(again.name);
  }
  if (local.local && name && sessionStorage.getItem("minetrace.review.in")) return begin(name);
  $("name").value = name;
  $("name-label").textContent = local.local ? "Your name" : "Your token";
  $("enter-hint").textContent = local.local
    ? "Your answers are kept under this name. You will not see anybody else’s."
    : "Whoever runs this review has one for you. Your answers are kept under your name.";
  if (!local.local) $("name").type = "password";
  $("enter").hidden = false;
  $("enter").onsubmit = (event) => {
    event.preventDefault();
    enter(local.local, $("name").value.trim());
  };
  $("name").focus();
}

async function enter(local, word) {
  if (local) {
    localStorage.setItem("minetrace.review.name", word);
    sessionStorage.setItem("minetrace.review.in", "yes");
    return begin(word);
  }
  desk.token = word;
  try {
    const found = await desk.meet();
    if (!found.name) throw new Refused("this token is not known");
    sessionStorage.setItem("minetrace.review.token", word);
    return begin(found.name);
  } catch (error) {
    return trouble(error.message);
  }
}

async function begin(name) {
  desk.who = name;
  trouble("");
  $("enter").hidden = true;
  await outbox.flush();
  return advance();
}

// Ask until the desk answers; it may be starting again.
async function patiently(ask) {
  for (;;) {
    try {
      const found = await ask();
      trouble("");
      return found;
    } catch (error) {
      if (!(error instanceof Away)) {
        trouble(error.message);
        throw error;
      }
      trouble(`${error.message}. What you said is kept in this browser and will be sent.`);
      await new Promise((go) => setTimeout(go, 1500));
    }
  }
}

async function advance() {
  const found = await patiently(() => desk.next(state.disputes, outbox.items()));
  tellProgress(found.progress);
  await show(found.item);
}

async function show(item) {
  endEdit();
  state.item = item;
  state.zoom = 0;
  state.outlines = null;
  seen = new Map();
  $("outlines").setAttribute("aria-pressed", "false");
  $("work").hidden = !item;
  delete $("work").dataset.ready;
  $("done").hidden = Boolean(item);
  for (const pane of Object.values(panes)) pane.clear();
  if (!item) {
    $("done-text").textContent = state.disputes
      ? "No dispute is left that you may settle."
      : "Thank you. Close the page, or wait for others to disagree.";
    return;
  }
  askFor(item);
  $("edit").hidden = !item.outlined;
  $("note-text").value = item.mine.note;
  $("note").firstChild.textContent = item.mine.note ? "Note ✓ " : "Note ";
  layOut(item);
  await drawPanes();
  clock = { since: document.hidden ? 0 : performance.now(), spent: 0 };
}

function askFor(item) {
  let what = item.outlined ? "Is this a mine" : "Is there a mine at the mark";
  if (item.shares) what = "How much of the square is mined";
  $("question").textContent = `${state.disputes ? "Disputed: " : ""}${what} in ${item.period}?`;
  $("shares").hidden = !item.shares;
  VERDICTS.forEach((verdict, place) => {
    const letter = verdict[0];
    $(verdict).setAttribute("aria-keyshortcuts", item.shares ? letter : `${letter} ${place + 1}`);
    if (verdict in WORDS) $(verdict).firstChild.textContent = WORDS[verdict][Number(item.shares)];
  });
}

// A digit is so many tenths of a block, or one of the three answers about a point.
function answerDigit(digit) {
  if (state.item?.shares) answer(`${10 * digit}%`);
  else if (digit <= VERDICTS.length) answer(VERDICTS[digit - 1]);
}

function layOut(item) {
  panes = {};
  if (item.before) panes.before = new Pane(`${item.before} (before)`);
  panes.asked = new Pane(item.before ? `${item.period} (asked)` : item.period);
  $("panes").replaceChildren(...Object.values(panes).map((pane) => pane.root));
}

async function drawPanes() {
  const { item } = state;
  const zoom = item.zooms[state.zoom];
  const shown = await Promise.all(Object.entries(panes).map(async ([when, pane]) => {
    const period = when === "before" ? item.before : item.period;
    const picture = await patiently(() => desk.picture(item.number, when, zoom.zoom));
    await pane.show(item, zoom, picture, `Satellite picture of ${period}`);
    return picture && { period, zoom: zoom.zoom, sha256: picture.sha256 };
  }));
  for (const one of shown.filter(Boolean)) seen.set(one.sha256, one);
  if (state.outlines) for (const pane of Object.values(panes)) pane.outlines(state.outlines);
  $("nearer").disabled = state.zoom === 0;
  $("farther").disabled = state.zoom === item.zooms.length - 1;
  $("work").dataset.ready = item.item;
}

function spent() {
  const running = clock.since ? performance.now() - clock.since : 0;
  return Math.round(clock.spent + running) / 1000;
}

function shown() {
  const screen = `${window.innerWidth}x${window.innerHeight}@${window.devicePixelRatio}`;
  return { pictures: [...seen.values()].slice(-32), outlines: Boolean(state.outlines), screen };
}

// One thing at a time: a key that comes while another is worked at is let go.
function once(work) {
  return async (...given) => {
    if (state.busy) return;
    state.busy = true;
    try {
      await work(...given);
    } catch (error) {
      trouble(error.message);
    } finally {
      state.busy = false;
    }
  };
}

const answer = once(async (verdict) => {
  if (!state.item || state.edit) return;
  const kind = state.disputes ? "settle" : "answer";
  await outbox.put(state.item.item, kind, verdict, spent(), shown());
  await advance();
});

const undo = once(async () => {
  if (!(await outbox.flush())) throw new Error("Undo needs the desk, which does not answer");
  const { item } = await desk.back();
  if (!item) return trouble("You have no answer to take back.");
  await outbox.put(item.item, "undo", item.settles ? "settle" : "", 0, shown());
  state.disputes = item.settles;
  const { progress } = await desk.next(state.disputes, [item.item]);
  tellProgress(progress);
  await show(item);
});

const outlines = once(async () => {
  if (!state.item) return;
  if ($("outlines").getAttribute("aria-pressed") === "true") {
    for (const pane of Object.values(panes)) pane.outlines(null);
    $("outlines").setAttribute("aria-pressed", "false");
    return;
  }
  state.outlines ||= await desk.outlines(state.item.number);
  for (const pane of Object.values(panes)) pane.outlines(state.outlines);
  $("outlines").setAttribute("aria-pressed", "true");
});

const edit = once(async () => {
  if (!state.item?.outlined || state.edit) return;
  state.outlines ||= await desk.outlines(state.item.number);
  state.edit = new OutlineEdit(panes.asked, state.outlines.editable);
  $("editing").hidden = false;
  $("answers").hidden = true;
});

// The item stays, so nothing waits for the desk: the next key may be an answer to it.
const keepOutline = once(async () => {
  if (!state.edit) return;
  const { value } = state.edit;
  endEdit();
  outbox.put(state.item.item, "outline", value, 0, shown());
});

function endEdit() {
  state.edit?.end();
  state.edit = null;
  $("editing").hidden = true;
  $("answers").hidden = false;
}

const zoomBy = once(async (step) => {
  const zoom = state.zoom + step;
  if (!state.item || state.edit || zoom < 0 || zoom >= state.item.zooms.length) return;
  state.zoom = zoom;
  await drawPanes();
});

function note() {
  if (!state.item) return;
  const { item } = state.item;
  $("note-box").returnValue = "";
  $("note-box").onclose = () => {
    if ($("note-box").returnValue !== "keep") return;
    $("note").firstChild.textContent = $("note-text").value ? "Note ✓ " : "Note ";
    outbox.put(item, "note", $("note-text").value, 0, shown());
  };
  $("note-box").showModal();
}

const agreement = once(async () => {
  const found = await desk.agreement();
  const rows = found.pairs.map((pair) => [
    `${pair.first}, ${pair.second}`, pair.both, `${Math.round(100 * pair.agreed)} %`,
    pair.kappa === null ? "not defined" : pair.kappa.toFixed(2),
  ]);
  $("pairs").replaceChildren(rows.length
    ? table(["Two people", "Both answered", "Agree", "Cohen’s kappa"], rows)
    : text("p", "No two people have answered the same item yet."));
  $("pairs").append(text("p", found.own
    ? `${found.disputes} in dispute, ${found.settled} settled.`
    : "Your own agreement is shown when you have nothing left to look at."));
  $("agreement-box").showModal();
});

const disputes = once(async () => {
  state.disputes = !state.disputes;
  await advance();
});

function table(head, rows) {
  const made = document.createElement("table");
  const line = (cells, name) => {
    const row = document.createElement("tr");
    row.append(...cells.map((cell) => text(name, cell)));
    return row;
  };
  made.append(line(head, "th"), ...rows.map((row) => line(row, "td")));
  return made;
}

function text(name, words) {
  const made = document.createElement(name);
  made.textContent = words;
  return made;
}

function tellProgress(told) {
  const pace = told.seconds === null ? "" : `, ${told.seconds} s each`;
  $("where").textContent =
    `${desk.who}: ${told.mine} answered${pace} · ${told.given} of ${told.wanted} in all`;
  const share = told.wanted ? told.given / told.wanted : 1;
  $("bar").setAttribute("aria-valuenow", share.toFixed(3));
  $("bar").firstElementChild.style.width = `${100 * share}%`;
  $("disputes").hidden = !told.disputes && !state.disputes;
  $("disputes").textContent = state.disputes ? "Back to the queue" : `Disputes (${told.disputes})`;
}

function tellKept(waiting, message) {
  $("kept").textContent = waiting ? `${waiting} not sent yet, kept in this browser` : "All sent";
  if (message) trouble(message);
}

function trouble(words) {
  $("trouble").textContent = words;
  $("trouble").hidden = !words;
}

function wire() {
  for (const verdict of VERDICTS) $(verdict).onclick = () => answer(verdict);
  const buttons = {
    undo, "undo-last": undo, note, outlines, edit, "keep-outline": keepOutline,
    "drop-outline": endEdit, nearer: () => zoomBy(-1), farther: () => zoomBy(1), agreement, disputes,
  };
  for (const [id, work] of Object.entries(buttons)) $(id).onclick = () => work();
  $("leave").onclick = () => {
    sessionStorage.clear();
    location.reload();
  };
  $("keys").checked = localStorage.getItem("minetrace.review.keys") !== "off";
  $("keys").onchange = () => {
    localStorage.setItem("minetrace.review.keys", $("keys").checked ? "on" : "off");
  };
  const keys = {
    m: () => answer("mine"), n: () => answer("not"), u: () => answer("unsure"), z: undo,
    c: note, o: outlines, e: edit, "+": () => zoomBy(-1), "=": () => zoomBy(-1),
    "-": () => zoomBy(1), Escape: endEdit,
  };
  for (const digit of TENTHS) keys[digit] = () => answerDigit(digit);
  $("shares").replaceChildren(...TENTHS.map((digit) => {
    const button = text("button", `${10 * digit} % `);
    button.type = "button";
    button.setAttribute("aria-keyshortcuts", digit);
    button.append(text("kbd", digit));
    button.onclick = () => answerDigit(digit);
    return button;
  }));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), textarea, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (!$("keys").checked || !desk.who || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
  document.addEventListener("visibilitychange", () => {
    const now = performance.now();
    if (document.hidden && clock.since) clock = { since: 0, spent: clock.spent + now - clock.since };
    else if (!document.hidden) clock.since = now;
  });
  window.addEventListener("online", () => outbox.flush());
}

start();
