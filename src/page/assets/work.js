// What is shown while a board is written: whether to hold the wires, the phases, and the time.

import { make, write } from "./dom.js";
import { elapsed, running } from "./job.js";
import { wires } from "./pictures.js";
import * as words from "./words.js";

/** HOLD THE WIRES, then LET GO. */
export class Hold {
  constructor() {
    this.word = make("strong", { class: "hold-word" });
    this.more = make("span", { class: "hold-more" });
    this.element = make(
      "div",
      { id: "hold", class: "hold" },
      wires(make("span", { class: "hold-shape", "aria-hidden": "true" })),
      make("p", {}, this.word, this.more),
    );
  }

  show(job, isFree) {
    const need = isFree ? null : job.contact?.need;
    this.element.dataset.state = isFree ? "free" : need ? "lost" : "hold";
    write(this.word, isFree ? words.LET_GO : words.HOLD);
    write(this.more, isFree ? words.LET_GO_MORE : need ? (words.NEED[need] ?? words.NEED.contact) : words.HOLD_MORE);
  }
}

// The phases of writing a board, in order; others are added when they come.
const USUAL = ["connect", "identify", "rescue", "backup", "unlock", "examine", "program", "verify", "boot"];
const SIGN = { waiting: "○", started: "▶", finished: "✓", skipped: "–", stopped: "!" };

/** The phases, each with its state, its progress and its time. */
export class Steps {
  constructor() {
    this.rows = new Map();
    this.list = make("ol", { class: "steps" });
    this.label = make("span");
    this.seconds = make("span", { class: "seconds" });
    this.bar = make("progress", { max: 100, "aria-label": words.PROGRESS_LABEL });
    this.present = make("div", { class: "phases" }, make("p", { class: "now" }, this.label, this.seconds), this.bar);
    this.element = make("section", { class: "phases" }, make("h2", {}, words.STEPS_LABEL), this.list);
  }

  show(job, isOver) {
    const names = [...new Set([...USUAL, ...job.steps.map(({ name }) => name)])];
    for (const name of names) this.row(name, job, isOver);
    this.tick(job, isOver);
  }

  row(name, job, isOver) {
    if (!this.rows.has(name)) {
      const row = { sign: make("span", { class: "sign", "aria-hidden": "true" }), state: make("span", { class: "step-state" }) };
      row.element = make("li", { "data-step": name }, row.sign, make("span", { class: "step-name" }, words.STEP[name] ?? name), row.state);
      this.rows.set(name, row);
      this.list.append(row.element);
    }
    const { element, sign, state } = this.rows.get(name);
    const step = job.steps.find((other) => other.name === name) ?? { state: "waiting", took: 0 };
    const is = step.state === "started" && isOver ? "stopped" : step.state;
    element.dataset.state = is;
    write(sign, SIGN[is]);
    const took = is === "finished" ? words.SECONDS(step.took) : "";
    const share = is === "started" && job.progress?.step === name ? this.share(job.progress) : "";
    write(state, [words.STEP_STATE[is], took || share].filter(Boolean).join(", "));
  }

  share({ done_bytes: done, total_bytes: total }) {
    return words.PERCENT(done, total);
  }

  /** Moves what moves with time. */
  tick(job, isOver) {
    const step = isOver ? null : running(job);
    const name = step ? (words.STEP[step.name] ?? step.name) : "";
    const progress = step && job.progress?.step === step.name ? job.progress : null;
    write(this.label, [name, progress ? this.share(progress) : ""].filter(Boolean).join(", "));
    write(this.seconds, `${step ? words.ELAPSED : words.TOOK}: ${words.SECONDS(elapsed(job))}`);
    this.bar.hidden = !step;
    if (progress) {
      const { done_bytes: done, total_bytes: total } = progress;
      this.bar.value = Math.floor((done * 100) / total);
      this.bar.setAttribute("aria-valuetext", words.PROGRESS(name, done, total));
    } else {
      this.bar.removeAttribute("value");
      this.bar.removeAttribute("aria-valuetext");
    }
  }
}
