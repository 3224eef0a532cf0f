// Pages that show what a command prints: doctor, backups, explain.

import { aloud, make, prose } from "./dom.js";
import { header, pads } from "./pictures.js";
import { button } from "./question.js";
import { get, post, why } from "./server.js";
import * as words from "./words.js";

const SIGN = { good: "✓", bad: "✗", remark: "!", plain: "" };

function row({ label, value, tone }, link) {
  const sign = make("span", { class: "sign", "aria-hidden": "true" }, SIGN[tone] ?? "");
  const isSaid = /^(pass|warning|fail)/.test(value);
  const unseen = words.BLOCK_TONE[tone] && !isSaid ? make("span", { class: "unseen" }, `${words.BLOCK_TONE[tone]}: `) : null;
  const name = link ? make("a", { href: link(label) }, label) : label;
  return make("div", { "data-tone": tone }, make("dt", {}, name), make("dd", {}, sign, unseen, make("span", {}, prose(value))));
}

const KINDS = {
  heading: (text) => make("h2", {}, text),
  row: (value, link) => make("dl", { class: "rows" }, row(value, link)),
  line: (text) => make("pre", { tabindex: "0" }, text),
  paragraph: (text) => make("p", {}, prose(text)),
  item: (text) => make("ul", {}, make("li", {}, prose(text))),
};

/** Elements for blocks; neighbours of a kind become one list. */
export function blocks(all, link) {
  const made = [];
  let before = null;
  for (const block of all) {
    const [kind, value] = Object.entries(block)[0];
    const element = KINDS[kind]?.(value, link);
    if (element && kind === before && kind === "line") made.at(-1).append(`\n${value}`);
    else if (element && kind === before && ["row", "item"].includes(kind)) made.at(-1).append(...element.childNodes);
    else if (element) made.push(element);
    before = kind;
  }
  return made;
}

async function load(slot, call, link, empty) {
  slot.replaceChildren(make("p", { class: "busy" }, words.GETTING));
  try {
    const answer = await call();
    if (answer.status === 404 && empty) {
      slot.replaceChildren(make("p", {}, empty));
      return true;
    }
    if (!answer.ok) {
      slot.replaceChildren(trouble(await why(answer, words.FAILED_CALL)));
      return false;
    }
    const { blocks: all } = await answer.json();
    slot.replaceChildren(...(all.length > 0 ? blocks(all, link) : [make("p", {}, empty ?? "")]));
    return true;
  } catch {
    slot.replaceChildren(trouble(words.FAILED_CALL));
    return false;
  }
}

function trouble(text) {
  aloud(text, "assertive");
  return make("p", { class: "trouble" }, prose(text));
}

function view(name, title, ...parts) {
  return make("article", { class: "card", "data-view": name }, make("h1", { tabindex: "-1", id: "title" }, title), parts);
}

/** The checks. They begin when asked to. */
export function doctor() {
  const slot = make("div", { class: "blocks" });
  const start = button(words.DOCTOR.start, { class: "primary", id: "start" }, async () => {
    start.disabled = true;
    aloud(words.DOCTOR.running);
    if (await load(slot, () => post("/api/doctor"))) aloud(words.DOCTOR.done);
    start.disabled = false;
  });
  return view("doctor", words.DOCTOR.title, make("p", {}, words.DOCTOR.text), make("div", { class: "go" }, start), slot);
}

/** The backups of earlier runs. */
export function backups() {
  const slot = make("div", { class: "blocks" });
  load(slot, () => get("/api/backups"), null, words.BACKUPS.empty);
  return view("backups", words.BACKUPS.title, slot);
}

/** A topic, or the list of topics. */
export function explain(topic) {
  const slot = make("div", { class: "blocks" });
  // An exit code has its number before its name, which error codes of the scooter may have too.
  const link = topic ? null : (label) => `#/explain/${encodeURIComponent(label.split(" ").at(-1))}`;
  load(slot, () => get(`/api/explain?topic=${encodeURIComponent(topic)}`), link);
  const input = make("input", { id: "topic", type: "text", autocomplete: "off", spellcheck: "false", "aria-describedby": "topic-hint" });
  const form = make(
    "form",
    {
      class: "field",
      onsubmit: (event) => {
        event.preventDefault();
        location.hash = `#/explain/${encodeURIComponent(input.value.trim())}`;
      },
    },
    make("label", { for: "topic" }, words.EXPLAIN.label),
    make("div", { class: "field-row" }, input, make("button", { class: "primary" }, words.EXPLAIN.show)),
    make("p", { class: "hint", id: "topic-hint" }, words.EXAMPLE(words.EXPLAIN.example)),
  );
  const all = topic ? make("p", {}, make("a", { href: "#/explain" }, words.EXPLAIN.all)) : null;
  const drawings = topic === "wiring" ? [...["top", "bottom", "4pro"].map(pads), header()] : [];
  return view("explain", topic ? `${words.EXPLAIN.title}: ${topic}` : words.EXPLAIN.title, all ?? form, slot, drawings);
}
