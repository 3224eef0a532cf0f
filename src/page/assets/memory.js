// The memory map: a cell for each page of flash.

import { make } from "./dom.js";
import * as words from "./words.js";

const STATES = ["keep", "erase", "program", "skipped", "erased", "programmed", "verified"];

/** A map that is drawn once for a plan, and whose cells then change. */
export class Memory {
  constructor() {
    this.cells = new Map();
    this.title = make("h2");
    this.map = make("div", { class: "map", role: "img" });
    this.legend = make("ul", { class: "legend" });
    this.body = make("tbody");
    const heads = [words.MEMORY.from, words.MEMORY.to, words.MEMORY.count, words.MEMORY.state];
    this.table = make(
      "table",
      {},
      make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))),
      this.body,
    );
    this.element = make(
      "section",
      { class: "memory" },
      this.title,
      this.map,
      this.legend,
      make("details", { class: "more" }, make("summary", {}, words.MEMORY.table), this.table),
    );
    this.drawn = "";
  }

  show(pages) {
    this.element.hidden = pages.size === 0;
    const rows = [...pages].sort(([one], [other]) => (one < other ? -1 : 1));
    if (this.cells.size !== rows.length || rows.some(([address]) => !this.cells.has(address))) this.draw(rows);
    const drawn = rows.map(([, { state }]) => STATES.indexOf(state)).join();
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    for (const [address, { state }] of rows) {
      const cell = this.cells.get(address);
      if (cell.dataset.state !== state) {
        cell.dataset.state = state;
        cell.title = words.MEMORY.cell(address, words.MEMORY[state]);
      }
    }
    this.count(rows);
    this.list(rows);
  }

  draw(rows) {
    this.drawn = "";
    this.title.textContent = words.MEMORY.title(words.MEMORY.pages(rows.length));
    this.cells = new Map(rows.map(([address]) => [address, make("span", { class: "cell", "data-address": address })]));
    this.map.replaceChildren(...this.cells.values());
  }

  count(rows) {
    const counts = STATES.map((state) => [state, rows.filter(([, page]) => page.state === state).length]);
    const there = counts.filter(([, count]) => count > 0);
    const parts = there.map(([state, count]) => words.MEMORY.part(count, words.MEMORY[state]));
    this.map.setAttribute("aria-label", words.MEMORY.summary(words.MEMORY.pages(rows.length), parts));
    const items = there.map(([state, count]) =>
      make("li", {}, make("span", { class: "cell", "data-legend": state, "aria-hidden": "true" }), words.MEMORY.part(count, words.MEMORY[state])),
    );
    this.legend.replaceChildren(...items);
  }

  list(rows) {
    const ranges = [];
    for (const [address, { state }] of rows) {
      const last = ranges.at(-1);
      if (last?.state === state) Object.assign(last, { to: address, count: last.count + 1 });
      else ranges.push({ from: address, to: address, count: 1, state });
    }
    const cell = (text) => make("td", {}, text);
    this.body.replaceChildren(
      ...ranges.map(({ from, to, count, state }) =>
        make("tr", {}, cell(from), cell(to), cell(String(count)), cell(words.MEMORY[state])),
      ),
    );
  }
}
