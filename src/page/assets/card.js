// The present card of the job.

import { aloud, fill, make, prose, write } from "./dom.js";
import { fresh, running } from "./job.js";
import { Memory } from "./memory.js";
import { Meter, stateOf } from "./meter.js";
import * as pictures from "./pictures.js";
import { button, paragraphs, question } from "./question.js";
import { soundOf } from "./sound.js";
import * as words from "./words.js";
import { Hold, Steps } from "./work.js";

// Cards that take a file, and what is said of it.
const FILES = {
  firmware: words.FILE.firmware,
  file: null,
  builder: words.FILE.firmware,
  download: words.FILE.firmware,
  serial: words.FILE.backup,
  mileage: words.FILE.backup,
};

const REMARKS_ON = ["download", "board", "plan", "work", "done", "failed"];

// The parts of a card from top to bottom: what matters most to somebody with three wires in one hand comes first.
const USUAL = "title trouble hold meter text change facts now memory phases picture remarks busy question files actions";
const AFTERWARDS = "title trouble hold text change facts remarks busy question actions now memory phases meter picture files";
const ORDERS = {
  file: "title trouble text facts busy files question actions hold meter change now memory phases picture remarks",
  contact: "title trouble meter text picture facts busy question actions hold change now memory phases remarks files",
  work: "title trouble hold meter now memory phases text facts remarks actions change picture busy question files",
  done: AFTERWARDS,
  failed: AFTERWARDS,
};

/** Draws the cards, one at a time. */
export class CardView {
  constructor({ answer, back, files }) {
    Object.assign(this, { answer, back, files });
    this.element = make("article", { class: "card" });
    this.event = null;
    this.sentence = null;
    /** Whether what comes now has been before. */
    this.isQuiet = false;
  }

  /** Shows a card. A card with the same number is changed in place, and so is one whose answer was not accepted. */
  show(event, job) {
    const before = this.event;
    const isSame = before?.card.name === event.card.name && (before.number === event.number || isAgain(before.card, event.card));
    const isNew = !isSame;
    this.event = event;
    if (isNew) this.begin(event.card);
    this.draw(job);
    return isNew;
  }

  /** Shows one sentence of the page on the card, or none. */
  say(sentence) {
    this.sentence = sentence;
    if (this.event) this.drawTrouble(this.event.card);
  }

  /** Moves to the heading of the card. */
  focus() {
    this.heading?.focus();
  }

  /** What Enter does if nothing else has it. */
  enter() {
    this.element.querySelector("[data-default]")?.click();
  }

  begin(card) {
    const order = (ORDERS[card.name] ?? USUAL).split(" ");
    const parts = order.map((part) => [part, make("div", { class: `part-${part}` })]);
    this.parts = Object.fromEntries(parts);
    this.element.replaceChildren(...parts.map(([, part]) => part));
    this.element.dataset.card = card.name;
    this.heading = make("h1", { id: "title", tabindex: "-1" });
    this.parts.title.append(this.heading);
    // The large words below it say the same.
    if (card.name === "work") this.heading.className = "unseen";
    Object.assign(this, { sentence: null, trouble: null, meter: null, memory: null, steps: null, hold: null, advice: null });
  }

  /** Takes a key that was pressed while nothing had the focus but the heading. */
  type(event) {
    const isFree = [document.body, this.heading].includes(document.activeElement);
    if (!isFree || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === "Enter") {
      event.preventDefault();
      this.enter();
    } else if (event.key.length === 1 && event.key !== " ") {
      this.element.querySelector("#answer")?.focus();
    }
  }

  draw(job) {
    const { card, doing } = this.event;
    write(this.heading, card.name === "end" ? card.title || words.END.title : card.title);
    this.drawTrouble(card);
    this.drawHold(card, job);
    this.drawMeter(card, job);
    this.drawText(card);
    this.drawFacts(card, job);
    this.drawWork(card, job);
    this.drawPictures(card, job);
    const warnings = REMARKS_ON.includes(card.name) ? job.warnings : [];
    fill(this.parts.remarks, warnings, () => remarks(warnings));
    const busy = this.busy(card, job, doing);
    fill(this.parts.busy, busy, () => busy && make("p", { class: "busy" }, busy));
    const isHidden = Boolean(doing);
    fill(this.parts.question, [card.question, card.name, isHidden], () => this.ask(card, isHidden));
    const takesFiles = card.name in FILES && !["fetch", "search", "open"].includes(doing);
    fill(this.parts.files, takesFiles, () => takesFiles && this.files.button(FILES[card.name]));
    this.drawActions(card, job, doing);
  }

  // What is waited for, if the card does not tell it itself.
  busy(card, job, doing) {
    if (doing === "flash" || card.name === "contact") return null;
    const need = doing === "contact" ? job.contact?.need : null;
    return words.NEED[need] ?? words.DOING[doing] ?? null;
  }

  drawTrouble(card) {
    const trouble = this.sentence ?? card.objection;
    if (!this.parts) return;
    fill(this.parts.trouble, trouble, () => trouble && make("p", { class: "trouble", id: "trouble" }, prose(trouble)));
    if (trouble && trouble !== this.trouble) {
      aloud(card.name === "failed" ? words.FAILED_ALOUD(card.title, trouble) : trouble, "assertive");
    }
    this.trouble = trouble;
  }

  drawHold(card, job) {
    if (!["work", "done"].includes(card.name)) return;
    if (!this.hold) {
      this.hold = new Hold();
      this.parts.hold.append(this.hold.element);
    }
    this.hold.show(job, card.name === "done" || job.isFree);
  }

  drawMeter(card, job) {
    const isWork = card.name === "work" && job.contact?.need && !job.isFree;
    if (card.name !== "contact" && !isWork) {
      this.parts.meter.hidden = true;
      return;
    }
    if (!this.meter) {
      this.meter = new Meter(isWork ? "small" : "big");
      this.parts.meter.append(this.meter.element);
    }
    const before = this.meter.element.dataset.state;
    this.parts.meter.hidden = false;
    this.meter.show(job.contact);
    if (!this.isQuiet && card.name === "contact" && before !== "good" && stateOf(job.contact) === "good") soundOf.good();
  }

  drawText(card) {
    const text = card.name === "end" && card.text.length === 0 ? [words.END.text] : card.text;
    if (card.name !== "contact") {
      fill(this.parts.text, text, () => [...paragraphs(text), card.name === "work" ? make("p", { class: "hint" }, words.CLOSE_IS_SAFE) : null]);
      return;
    }
    const [advice = "", ...rest] = text;
    fill(this.parts.text, text, () => [
      make("p", { class: "advice", id: "advice" }, prose(advice)),
      ...rest.map((line) => make("p", { class: "hint" }, prose(line))),
    ]);
    if (this.advice !== advice) aloud(advice);
    this.advice = advice;
  }

  drawFacts(card, job) {
    const change = ["plan", "done"].includes(card.name) ? changes(card.facts, job.found?.data) : [];
    fill(this.parts.change, change, () => change.length > 0 && changeTable(change));
    const isElsewhere = (label) =>
      change.some(([what]) => what === label) || (card.name === "contact" && ["contact", "target voltage"].includes(label));
    const facts = card.facts.filter(([label]) => !isElsewhere(label));
    fill(this.parts.facts, facts, () => facts.length > 0 && list(facts));
  }

  drawWork(card, job) {
    const hasSteps = card.name === "work" || (["done", "failed"].includes(card.name) && job.steps.some(({ name }) => name === "program"));
    if (hasSteps) {
      if (!this.steps) {
        this.steps = new Steps();
        this.parts.now.append(this.steps.present);
        this.parts.phases.append(this.steps.element);
      }
      this.steps.show(job, card.name !== "work" || job.isFree);
    }
    const hasMemory = card.picture === "memory" || (["done", "failed"].includes(card.name) && job.pages.size > 0);
    if (hasMemory) {
      if (!this.memory) {
        this.memory = new Memory();
        this.parts.memory.append(this.memory.element);
      }
      this.memory.show(job.pages);
    }
  }

  drawPictures(card, job) {
    const hasPads = card.picture === "pads";
    fill(this.parts.picture, hasPads ? [this.event.pads, card.name] : null, () =>
      hasPads ? [pictures.pads(this.event.pads), pictures.header()] : null,
    );
    const isContact = card.name === "contact";
    pictures.suspect(this.parts.picture.querySelector("figure"), isContact ? job.contact?.finding : null);
  }

  ask(card, isHidden) {
    // Paths are not typed on a page.
    if (isHidden || (card.name === "file" && card.question?.text)) return null;
    const send = (answer) => this.answer(this.event.number, answer);
    if (card.question) return question(card, send);
    if (card.name === "end") return go(words.BEGIN_AGAIN, () => send("again"));
    return card.name === "board" ? go(words.CONTINUE, () => send("")) : null;
  }

  drawActions(card, job, doing) {
    const hasBackup = Boolean(job.backup) && ["work", "done", "failed", "end"].includes(card.name);
    const hasReport = ["done", "failed"].includes(card.name);
    const canGoBack = this.event.can_go_back;
    fill(this.parts.actions, [hasBackup, hasReport, canGoBack, doing === "watch"], () => [
      canGoBack ? button(doing === "watch" ? words.STOP_WAITING : words.BACK, { id: "back" }, () => this.back(this.event.number)) : null,
      hasReport ? make("a", { class: "button", id: "report", href: "/api/report", download: true }, words.REPORT) : null,
      hasBackup ? make("a", { class: "button", id: "save", href: "/api/backup", download: true }, words.BACKUP) : null,
    ]);
  }

  /** Moves what moves with time. Returns whether something does. */
  tick(job = fresh()) {
    if (this.event?.card.name !== "work" || !this.steps) return false;
    this.steps.tick(job, job.isFree);
    return running(job) !== null;
  }
}

function isAgain(before, card) {
  return card.objection !== null && JSON.stringify(before.question) === JSON.stringify(card.question);
}

function go(label, act) {
  return make("div", { class: "go" }, button(label, { class: "primary", id: "send", "data-default": true }, act));
}

function list(facts) {
  return make(
    "dl",
    { class: "facts", "aria-label": words.FACTS },
    facts.map(([label, value]) => make("div", {}, make("dt", {}, pictures.wire(label), label), make("dd", {}, prose(value)))),
  );
}

function remarks(warnings) {
  if (warnings.length === 0) return null;
  const items = warnings.map((warning) => make("li", {}, prose(warning)));
  return [make("h2", {}, words.WARNINGS), make("ul", { class: "remarks" }, items)];
}

// What the work changes: what it is called, before, after.
function changes(facts, data) {
  if (!data) return [];
  const mileage = data.mileage_m === null ? words.CHANGE.unknown : words.CHANGE.kilometres(data.mileage_m);
  const before = { [words.CHANGE.serial]: data.serial ?? words.CHANGE.unknown, [words.CHANGE.mileage]: mileage };
  const rows = facts.filter(([label]) => label in before).map(([label, after]) => [label, before[label], after]);
  return rows.some(([, was, after]) => was !== after) ? rows : [];
}

function changeTable(rows) {
  const heads = [words.CHANGE.before, words.CHANGE.after].map((head) => make("th", { scope: "col" }, head));
  const body = rows.map(([label, was, after]) =>
    make("tr", { "data-changed": String(was !== after) }, make("th", { scope: "row" }, label), make("td", {}, was), make("td", {}, after)),
  );
  return make(
    "table",
    { class: "change" },
    make("caption", {}, words.CHANGE.caption),
    make("thead", {}, make("tr", {}, make("td", {}, words.CHANGE.what), heads)),
    make("tbody", {}, body),
  );
}
