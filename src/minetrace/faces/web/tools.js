/* The tools of a served map: draw, pictures, share. They stand on what the page shows anyway. */
(function (app) {
  "use strict";

  const { el } = app;
  const page = window.minetrace;
  const name = document.body.dataset.run;
  if (!page.map || !page.poster) return; // no WebGL, or a map of an older version: it works as it is
  const map = page.map;
  const stage = document.getElementById("stage");
  const asked = page.begun;

  const says = el("p", { class: "tools-says", role: "status" });
  const slot = el("div", { id: "drawn" });
  document.getElementById("overview").before(slot);

  function say(words) {
    says.textContent = words;
    says.hidden = !words;
  }

  const button = (id, words, go, more = {}) => el("button", { type: "button", id, onclick: go, ...more }, words);

  /* --- the polygon and its figures ------------------------------------------------------- */

  let last = 0;

  async function figures(corners) {
    const mine = ++last;
    page.writeAddress();
    if (corners === null) {
      slot.replaceChildren();
      return;
    }
    const body = { type: "Polygon", coordinates: [[...corners, corners[0]]] };
    const answer = await fetch(`/api/runs/${encodeURIComponent(name)}/statistics`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }).catch(() => null);
    const told = answer && await answer.json().catch(() => null);
    if (mine !== last) return;
    if (!answer || !answer.ok) {
      say(told ? told.detail : "The service does not answer");
      return;
    }
    slot.replaceChildren(app.drawnTable(told, () => draw.clear()));
    document.querySelector(".panel").scrollTop = 0;
    say("");
    document.getElementById("drawn-name").focus({ preventScroll: true });
    document.dispatchEvent(new Event("minetrace:drawn"));
  }

  const draw = app.draw({
    map,
    onChange: figures,
    onMode: (on) => {
      tools.draw.setAttribute("aria-pressed", String(on));
      tools.frame.hidden = !on;
      tools.done.hidden = !on;
      say(on ? "Click the corners; a double click closes the polygon" : "");
    },
  });

  const tools = {
    draw: button("tool-draw", "Draw", () => (draw.drawing ? draw.clear() : draw.start()), { "aria-pressed": "false" }),
    frame: button("tool-frame", "Use this view", () => draw.frame(), { hidden: true }),
    done: button("tool-done", "Close polygon", () => draw.finish(), { hidden: true }),
  };

  document.addEventListener("keydown", (event) => {
    if (!draw.drawing) return;
    if (event.key === "Escape") draw.clear();
    else if (event.key === "Enter" && event.target === map.getCanvas()) draw.finish();
  });

  /* --- what lies under it, and handing it on --------------------------------------------- */

  let pictures = null;
  const choice = el("select", { id: "tool-pictures", "aria-label": "Picture under the outlines",
    onchange: () => pictures.choose(choice.value).then(page.writeAddress) });

  async function offerPictures() {
    const answer = await fetch(`/api/runs/${encodeURIComponent(name)}`);
    const run = await answer.json();
    pictures = app.pictures({ map, run, period: () => page.state.period });
    const stored = run.periods.some((one) => one.composites || one.scores);
    choice.hidden = !stored;
    const fill = () => {
      choice.replaceChildren(...pictures.names.map(([value, words]) =>
        el("option", { value, disabled: !pictures.has(value) }, words)));
      choice.value = pictures.choice;
      pictures.show();
    };
    document.addEventListener("minetrace:shown", fill);
    await pictures.choose(asked.get("picture") || "page");
    fill();
  }

  const share = el("details", { class: "tools-share" }, el("summary", { id: "tool-share" }, "Share"),
    el("div", { class: "card tools-menu" },
      button("share-picture", "As a picture", async () => say(await app.share.picture())),
      button("share-address", "Copy address", async () => say(await app.share.address()))));

  stage.append(el("div", { class: "tools", role: "group", "aria-label": "Tools" },
    tools.draw, tools.done, tools.frame, choice, share, says));
  say("");

  /** More words of the address, for viewer.js. */
  app.moreWords = () => ({
    ...(draw.corners ? { draw: app.cornersToText(draw.corners) } : {}),
    ...(pictures && pictures.choice !== "page" ? { picture: pictures.choice } : {}),
  });

  page.tools = page.ready.then(async () => {
    await offerPictures();
    const corners = app.textToCorners(asked.get("draw"));
    if (corners) draw.set(corners);
    page.writeAddress();
  });
})(window.minetraceApp);
