// The project's drawings. They stand in the page itself, so that its colours are theirs.

import { make } from "./dom.js";
import * as words from "./words.js";

const loaded = new Map();

function load(name) {
  if (!loaded.has(name)) {
    const drawing = fetch(`/${name}.svg`)
      .then((answer) => answer.text())
      .then((text) => new DOMParser().parseFromString(text, "image/svg+xml").documentElement);
    drawing.catch(() => loaded.delete(name));
    loaded.set(name, drawing);
  }
  return loaded.get(name);
}

async function put(name, frame) {
  const copy = document.importNode(await load(name), true);
  copy.setAttribute("aria-hidden", "true");
  copy.setAttribute("focusable", "false");
  frame.replaceChildren(copy);
}

/** Three wires on their pads, beside words that say so. */
export function wires(frame) {
  put("hold", frame).catch(() => {});
  return frame;
}

/** A drawing with what it shows in words. */
export function drawing(name, caption) {
  const frame = make("div", { class: "drawing", role: "img", "aria-label": words.PICTURES[name] });
  put(name, frame).catch(() => frame.replaceChildren(words.PICTURES[name]));
  return make("figure", { class: "picture", "data-picture": name }, frame, make("figcaption", {}, caption));
}

// Which wires to look at first, by what the probe can tell.
const SUSPECTS = { "no-supply": "5v g", "supply-too-high": "5v", silent: "d g c", broken: "g c d" };

/** The pads of a family of boards; the wires that a finding points at are marked. */
export function pads(family) {
  const name = `pads-${["top", "bottom", "4pro"].includes(family) ? family : "unknown"}`;
  return drawing(name, words.PADS_CAPTION[name]);
}

/** Marks the wires that a finding points at. */
export function suspect(figure, finding) {
  if (figure) figure.dataset.suspect = SUSPECTS[finding] ?? "";
}

/** The header of a clone. */
export function header() {
  return make(
    "details",
    { class: "more" },
    make("summary", {}, words.HEADER_TITLE),
    drawing("probe-header", words.HEADER_CAPTION),
  );
}

const LETTERS = { GND: "G", SWCLK: "C", SWDIO: "D", "5V": "5V" };

/** The badge of a wire, or nothing if this is none. */
export function wire(label) {
  const letter = LETTERS[label];
  return letter ? make("span", { class: `wire wire-${letter.toLowerCase()}`, "aria-hidden": "true" }, letter) : null;
}
