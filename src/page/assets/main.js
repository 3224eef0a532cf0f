// The page: the session, the events, and which view is shown.

import { BatchView } from "./batch.js";
import { backups, doctor, explain } from "./blocks.js";
import { CardView } from "./card.js";
import { aloud, fill, make, prose, write } from "./dom.js";
import { Files } from "./files.js";
import { fresh, running, take } from "./job.js";
import { begin, listen, Lost, post, whenRefused, why } from "./server.js";
import { isSoundOn, setSound, soundOf } from "./sound.js";
import * as words from "./words.js";

const main = document.getElementById("main");
const top = document.getElementById("top");
const foot = document.getElementById("foot");

// What becomes of a file is shown on the card.
const files = new Files((sentence) => {
  if (!isJob()) location.hash = "#/";
  view.say(sentence);
});
const view = new CardView({ answer, back, files });
const batch = new BatchView();
let job = fresh();
let stop = () => {};
let opened = 0;
let route = null;
let isOver = false;
let hasNews = false;
let drawing = 0;
let ticking = 0;

// Events that come this soon after the connection are those of before.
const REPLAY = 400;
// By then the card that another tab has asked for has come.
const LATE = 400;
const isReplay = () => performance.now() - opened < REPLAY;

const lost = make("p", { class: "banner lost", role: "status", hidden: true }, words.LOST);
const simulated = make("p", { class: "banner simulated", hidden: true }, words.SIMULATED);
const runs = make("a", { class: "banner runs", href: "#/", hidden: true }, words.JOB_RUNS);
const scooter = make("p", { class: "scooter" });
const sound = make("button", { type: "button", id: "sound", "aria-pressed": "true" });
const links = Object.entries(words.NAV).map(([name, label]) => make("a", { href: name === "job" ? "#/" : `#/${name}`, "data-nav": name }, label));

function drawSound() {
  sound.textContent = isSoundOn() ? words.SOUND_ON : words.SOUND_OFF;
  sound.setAttribute("aria-pressed", String(isSoundOn()));
}

sound.addEventListener("click", () => {
  setSound(!isSoundOn());
  drawSound();
});

function frame() {
  drawSound();
  top.replaceChildren(
    make("div", { class: "head" }, make("p", { class: "brand" }, words.PROGRAM), scooter, sound),
    make("nav", { "aria-label": words.NAV_LABEL }, links),
    simulated,
    lost,
    runs,
  );
}

async function answer(number, text) {
  await send("/api/answer", { number, answer: text });
}

async function back(number) {
  await send("/api/back", { number });
}

async function send(path, body) {
  view.say(null);
  try {
    const answer = await post(path, body);
    if (answer.ok) return;
    const sentence = await why(answer, words.FAILED_CALL);
    // If another tab was faster, the new card comes by itself.
    setTimeout(() => view.event?.number === body.number && view.say(sentence), answer.status === 409 ? LATE : 0);
  } catch (error) {
    if (error instanceof Lost) view.say(words.FAILED_CALL);
  }
}

/** Shows something that stays: the program has ended, or refuses this window. */
function end({ title, text }) {
  if (isOver) return;
  isOver = true;
  stop();
  for (const banner of [lost, runs, simulated]) banner.hidden = true;
  top.querySelector("nav")?.remove();
  sound.remove();
  const heading = make("h1", { tabindex: "-1", id: "title" }, title);
  main.replaceChildren(make("article", { class: "card", "data-view": "end" }, heading, make("p", {}, prose(text))));
  document.title = `${title} – ${words.PROGRAM}`;
  heading.focus();
}

function onEvent(event) {
  if (event.event === "bye") return end(words.BYE);
  if (event.event === "card") return onCard(event);
  if (event.event === "batch" || event.event === "unit" || event.probe_name !== undefined) return batch.take(event, isReplay());
  const before = { isFree: job.isFree, step: running(job)?.name };
  take(job, event);
  if (!isReplay() && job.isFree && !before.isFree && view.event?.card.name === "work") letGo();
  const step = running(job)?.name;
  if (step && step !== before.step && view.event?.card.name === "work") aloud(words.PHASE_ALOUD(words.STEP[step] ?? step));
  return later();
}

function letGo() {
  soundOf.free();
  aloud(words.LET_GO_ALOUD, "assertive");
}

function onCard(event) {
  const isFirst = view.event === null;
  const before = view.event?.card.name;
  view.isQuiet = isReplay();
  if (event.card.name === "welcome" && before !== "welcome") job = fresh();
  const isNew = view.show(event, job);
  write(scooter, event.title ?? "");
  simulated.hidden = !event.simulated;
  write(foot, event.version ? `${words.PROGRAM} ${event.version}` : "");
  if (isNew && isJob()) {
    scrollTo(0, 0);
    if (!isFirst) view.focus();
  } else if (isNew) {
    hasNews = !isFirst;
    aloud(words.NEW_CARD(view.heading.textContent));
  }
  if (isNew && !isReplay()) {
    if (event.card.name === "failed") soundOf.failed();
    if (event.card.name === "work") soundOf.hold();
    if (event.card.name === "done" && before === "work" && !job.isFree) letGo();
  }
  draw();
}

// Many events come at once while a board is written.
function later() {
  if (drawing) return;
  drawing = setTimeout(draw, 40);
}

function draw() {
  clearTimeout(drawing);
  drawing = 0;
  if (isOver || !view.event) return;
  view.isQuiet = isReplay();
  view.draw(job);
  const isWorking = view.event.doing === "flash";
  runs.hidden = !isWorking || isJob();
  links[0].dataset.news = String(hasNews);
  const title = isWorking && job.isFree ? words.LET_GO : view.heading.textContent;
  if (isJob()) document.title = `${title} – ${words.PROGRAM}`;
  if (view.tick(job) && !ticking) {
    ticking = setInterval(() => {
      if (view.tick(job)) return;
      clearInterval(ticking);
      ticking = 0;
    }, 200);
  }
}

const isJob = () => route?.name === "job";

function navigate() {
  if (isOver) return;
  const [name = "", topic = ""] = location.hash.replace(/^#\/?/, "").split("/").map(decode);
  const known = name in words.NAV ? name : "job";
  const isFirst = route === null;
  route = { name: known, topic };
  if (isJob()) hasNews = false;
  for (const link of links) {
    if (link.dataset.nav === known) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.replaceChildren(pageOf(route));
  if (known === "batch") batch.refresh();
  const heading = main.querySelector("#title");
  if (!isJob() && heading) document.title = `${heading.textContent} – ${words.PROGRAM}`;
  if (!isFirst) {
    scrollTo(0, 0);
    heading?.focus();
  }
  draw();
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

function pageOf({ name, topic }) {
  switch (name) {
    case "doctor":
      return doctor();
    case "backups":
      return backups();
    case "explain":
      return explain(topic);
    case "batch":
      return batch.element;
    default:
      return view.element;
  }
}

async function start() {
  frame();
  main.replaceChildren(view.element);
  fill(view.element, "loading", () => make("p", { class: "busy" }, words.LOADING));
  whenRefused(() => end(words.REFUSED));
  let isWaiting = true;
  while (isWaiting) {
    try {
      await begin();
      isWaiting = false;
    } catch (error) {
      if (!(error instanceof Lost)) return;
      lost.hidden = false;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
  addEventListener("hashchange", navigate);
  addEventListener("keydown", (event) => isJob() && view.type(event));
  navigate();
  stop = listen({
    opened: () => {
      if (!lost.hidden) aloud(words.FOUND_AGAIN);
      lost.hidden = true;
      opened = performance.now();
      job = fresh();
      batch.forget();
    },
    lost: () => {
      lost.hidden = isOver;
    },
    event: onEvent,
  });
}

start();
