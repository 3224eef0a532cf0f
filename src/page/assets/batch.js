// Board after board, on several probes: a tile for each.

import { aloud, make, prose, write } from "./dom.js";
import { fresh, running, take } from "./job.js";
import { Meter } from "./meter.js";
import { wires } from "./pictures.js";
import { button } from "./question.js";
import { get, post, why } from "./server.js";
import { soundOf } from "./sound.js";
import * as words from "./words.js";

const KEPT = 5;

class Tile {
  constructor(name) {
    this.name = name;
    this.job = fresh();
    this.unit = null;
    this.meter = new Meter("small");
    this.state = make("strong", { class: "hold-word" });
    this.phase = make("p", { class: "now" });
    this.results = make("ul", { class: "results" });
    this.element = make(
      "section",
      { class: "tile", "data-probe": name },
      make("h2", {}, words.BATCH.probe(name)),
      make("p", { class: "hold" }, wires(make("span", { class: "hold-shape", "aria-hidden": "true" })), this.state),
      this.phase,
      this.meter.element,
      make("h3", {}, words.BATCH.last),
      this.results,
    );
  }

  take(event, isReplay) {
    if (event.event === "unit" && event.state) this.takeUnit(event, isReplay);
    else {
      const wasFree = this.job.isFree;
      take(this.job, event);
      if (event.event === "contact" && event.need === "next-board") this.unit = null;
      if (!wasFree && this.job.isFree && !isReplay) {
        soundOf.free();
        aloud(words.BATCH.aloud(this.name, this.unit, words.LET_GO), "assertive");
      }
    }
    this.draw();
  }

  takeUnit({ unit, state, result, message, serial, uid }, isReplay) {
    if (state === "started") {
      this.job = { ...fresh(), contact: this.job.contact };
      this.unit = unit;
      return;
    }
    this.unit = null;
    const isGood = state === "skipped" || result === "ok";
    const said = message || (state === "skipped" ? words.BATCH.doneBefore : isGood ? words.BATCH.done : result);
    const which = [words.BATCH.unit(unit), serial ?? uid].filter(Boolean).join(", ");
    const sign = make("span", { class: "sign", "aria-hidden": "true" }, isGood ? "✓" : "✗");
    const row = make("li", { "data-tone": isGood ? "good" : "bad" }, sign, make("span", {}, `${which}: `, prose(said)));
    this.results.prepend(row);
    while (this.results.children.length > KEPT) this.results.lastChild.remove();
    if (isReplay) return;
    if (!isGood) soundOf.failed();
    aloud(words.BATCH.aloud(this.name, unit, said), isGood ? "polite" : "assertive");
  }

  draw() {
    const need = this.job.contact?.need;
    const isHeld = this.unit !== null && !this.job.isFree;
    const state = isHeld ? (need ? "lost" : "hold") : this.job.isFree ? "free" : "wait";
    this.element.dataset.state = state;
    write(this.state, { free: words.LET_GO, wait: need ? words.NEED[need] : words.BATCH.next }[state] ?? words.HOLD);
    const step = running(this.job);
    const name = step ? (words.STEP[step.name] ?? step.name) : "";
    const progress = this.job.progress;
    const share = step && progress?.step === step.name ? words.PERCENT(progress.done_bytes, progress.total_bytes) : "";
    const free = state === "free" ? words.BATCH.next : "";
    write(this.phase, isHeld && need ? words.NEED[need] : free || [name, share].filter(Boolean).join(", "));
    this.meter.show(this.job.contact);
  }
}

/** The page of the batch. It lives as long as the window, because events come at any time. */
export class BatchView {
  constructor() {
    this.forget();
    this.isRunning = false;
    this.isThere = false;
    this.trouble = make("p", { class: "trouble", hidden: true });
    this.log = make("p", { class: "hint" });
    this.counts = make("p", { class: "counts" });
    this.tiles = make("div", { class: "tiles" });
    this.scooter = make("select", { id: "batch-scooter" });
    this.erase = make("input", { id: "batch-erase", type: "checkbox", "aria-describedby": "batch-erase-hint" });
    this.form = make(
      "form",
      { class: "field", onsubmit: (event) => this.start(event) },
      make("label", { for: "batch-scooter" }, words.BATCH.scooter),
      this.scooter,
      make("label", { class: "check" }, this.erase, words.BATCH.erase),
      make("p", { class: "hint", id: "batch-erase-hint" }, words.BATCH.eraseDetail),
      make("button", { class: "primary", id: "batch-start" }, words.BATCH.start),
    );
    this.stop = button(words.BATCH.stop, { id: "batch-stop" }, () => this.send("/api/batch/stop", ""));
    this.element = make(
      "article",
      { class: "card wide", "data-view": "batch" },
      make("h1", { tabindex: "-1", id: "title" }, words.BATCH.title),
      make("p", {}, words.BATCH.text),
      this.trouble,
      this.form,
      this.stop,
      this.counts,
      this.tiles,
      this.log,
    );
    this.draw();
  }

  /** Forgets what the events have told; they come again after a new connection. */
  forget() {
    this.probes = new Map();
    this.results = { ok: 0, failed: 0, skipped: 0 };
    this.tiles?.replaceChildren();
  }

  /** Asks the server what can be done. */
  async refresh() {
    try {
      const answer = await get("/api/batch");
      this.isThere = answer.ok;
      this.say(answer.ok ? null : await why(answer, words.BATCH.missing));
      this.draw();
      if (!answer.ok) return;
      const { scooters, running: isRunning, log } = await answer.json();
      if (this.scooter.options.length !== scooters.length) {
        this.scooter.replaceChildren(...scooters.map(({ name, title }) => make("option", { value: name }, title)));
      }
      this.set(isRunning, log);
    } catch {
      this.say(words.FAILED_CALL);
    }
  }

  take(event, isReplay) {
    if (event.event === "batch") {
      if (event.running && !this.isRunning && !isReplay) this.forget();
      this.set(event.running, event.log);
      if (event.error && !isReplay) this.say(event.error);
      return;
    }
    const name = event.probe_name ?? event.probe ?? "";
    if (!this.probes.has(name)) {
      const tile = new Tile(name);
      this.probes.set(name, tile);
      this.tiles.append(tile.element);
    }
    if (event.event === "unit" && event.state === "skipped") this.results.skipped += 1;
    if (event.event === "unit" && event.state === "finished") this.results[event.result === "ok" ? "ok" : "failed"] += 1;
    this.probes.get(name).take(event, isReplay);
    this.draw();
  }

  set(isRunning, log) {
    this.isRunning = isRunning;
    write(this.log, log ? `${words.BATCH.log}: ${log}` : "");
    this.draw();
  }

  draw() {
    this.form.hidden = this.isRunning || !this.isThere;
    this.stop.hidden = !this.isRunning;
    const { ok, failed, skipped } = this.results;
    const counts = [`✓ ${ok} ${words.BATCH.ok}`, `✗ ${failed} ${words.BATCH.failed}`];
    if (skipped > 0) counts.push(`– ${skipped} ${words.BATCH.skipped}`);
    const isEmpty = this.isRunning && this.probes.size === 0;
    write(this.counts, isEmpty ? words.BATCH.noProbes : this.isRunning || ok + failed + skipped > 0 ? counts.join("   ") : "");
  }

  say(sentence) {
    this.trouble.hidden = !sentence;
    this.trouble.replaceChildren(...prose(sentence ?? ""));
    if (sentence) aloud(sentence, "assertive");
  }

  start(event) {
    event.preventDefault();
    this.send("/api/batch", { scooter: this.scooter.value, erase: this.erase.checked, drv: null });
  }

  async send(path, body) {
    this.say(null);
    try {
      const answer = await post(path, body);
      if (!answer.ok) this.say(await why(answer, words.FAILED_CALL));
    } catch {
      this.say(words.FAILED_CALL);
    }
  }
}
