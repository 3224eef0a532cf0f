// The contact meter.

import { make, write } from "./dom.js";
import * as words from "./words.js";

/** How good contact is: good, poor, none, or untried. */
export function stateOf(contact) {
  if (!contact?.finding || contact.need === "next-board") return "untried";
  if (contact.finding === "good") return "good";
  return contact.good === 0 ? "none" : "poor";
}

const SIGN = { good: "✓", poor: "!", none: "✗", untried: "…" };

/** A meter that can be moved. */
export class Meter {
  constructor(size = "big") {
    this.sign = make("span", { class: "sign", "aria-hidden": "true" });
    this.word = make("strong", { class: "word" });
    this.fill = make("span", { class: "bar-fill" });
    this.bar = make("div", {
      class: "bar", role: "meter", "aria-label": words.METER.label, "aria-valuemin": 0, "aria-valuemax": 100,
    }, this.fill);
    this.reads = make("span", { class: "reads" });
    this.volts = make("span", { class: "volts" });
    this.element = make(
      "div",
      { class: `meter ${size}` },
      make("p", { class: "meter-word" }, this.sign, this.word),
      this.bar,
      make("p", { class: "meter-more" }, this.reads, this.volts),
    );
    this.show(null);
  }

  show(contact) {
    const { good = 0, of = 0, voltage_mv: millivolts = null } = contact ?? {};
    const state = stateOf(contact);
    const share = of > 0 ? Math.round((good * 100) / of) : 0;
    const reads = of > 0 ? words.METER.reads(good, of) : words.METER.noReads;
    this.element.dataset.state = state;
    write(this.sign, SIGN[state]);
    write(this.word, words.METER[state]);
    write(this.reads, reads);
    write(this.volts, `${words.METER.voltage}: ${millivolts === null ? words.METER.noVoltage : words.METER.volts(millivolts)}`);
    this.fill.style.width = `${share}%`;
    this.bar.setAttribute("aria-valuenow", share);
    this.bar.setAttribute("aria-valuetext", `${words.METER[state]}, ${reads}`);
  }
}
