// What a card asks, as buttons or as a field.

import { id, make, prose } from "./dom.js";
import * as words from "./words.js";

/** The question of a card. `send` takes the answer. */
export function question(card, send) {
  const asked = card.question;
  if (asked?.["one-of"]) return choice(card, asked["one-of"], send);
  if (asked?.text) return field(asked.text, send);
  if (asked?.word) return word(asked.word.word, send);
  return null;
}

/** A button that sends an answer. The second click of a double-click is not for the next card. */
export function button(label, properties, act) {
  const onclick = (event) => event.detail < 2 && act();
  return make("button", { type: "button", ...properties, onclick }, label);
}

function choice(card, { options, preselected }, send) {
  const buttons = options.map(({ key, label, detail }, at) => {
    const parts = [
      make("span", { class: "option-label" }, label),
      detail ? make("span", { class: "option-detail" }, detail) : null,
      at === preselected ? make("kbd", { class: "enter", "aria-hidden": "true" }, words.DEFAULT_KEY) : null,
    ];
    return button(parts.filter(Boolean), { class: "option", "data-key": key, "data-default": at === preselected }, () => send(key));
  });
  const many = options.length > 6 ? " many" : "";
  return make("div", { class: `options${many}`, role: "group", "aria-labelledby": "title" }, buttons);
}

function field({ label, example }, send) {
  const hint = id();
  const input = make("input", {
    id: "answer", type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": hint,
  });
  const submit = (event) => {
    event.preventDefault();
    send(input.value);
  };
  return make(
    "form",
    { class: "field", onsubmit: submit },
    make("label", { for: "answer" }, label),
    make("div", { class: "field-row" }, input, make("button", { id: "send", class: "primary" }, words.CONTINUE)),
    make("p", { id: hint, class: "hint" }, words.EXAMPLE(example)),
  );
}

function word(wanted, send) {
  const input = make("input", { id: "answer", type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const agree = make("button", { id: "send", class: "danger", disabled: true }, words.AGREE(wanted));
  const isTyped = () => input.value.trim().toLowerCase() === wanted.toLowerCase();
  input.addEventListener("input", () => {
    agree.disabled = !isTyped();
  });
  const submit = (event) => {
    event.preventDefault();
    if (isTyped()) send(input.value.trim());
  };
  return make(
    "form",
    { class: "field", onsubmit: submit },
    make("label", { for: "answer" }, prose(words.TYPE_WORD(wanted))),
    make("div", { class: "field-row" }, input, agree, button(words.STOP, { "data-key": "no" }, () => send("no"))),
  );
}

/** The paragraphs of a card; points with numbers become a list, and what is lost or kept is marked. */
export function paragraphs(text) {
  const parts = [];
  for (const line of text) {
    const point = /^(\d+)\. (.*)$/s.exec(line);
    const stake = /^(Kept and written back|Replaced|New|Lost): (.*)$/s.exec(line);
    if (point) {
      if (parts.at(-1)?.tagName !== "OL") parts.push(make("ol", { class: "points" }));
      parts.at(-1).append(make("li", {}, prose(point[2])));
    } else if (stake) {
      const [, what, value] = stake;
      const kind = { New: "new", "Kept and written back": "kept" }[what] ?? "lost";
      parts.push(make("p", { class: "stake", "data-stake": kind }, make("strong", {}, `${what}: `), prose(value)));
    } else if (/\b(will be lost|are lost|erases)\b/.test(line)) {
      parts.push(make("p", { class: "stake", "data-stake": "lost" }, prose(line)));
    } else {
      parts.push(make("p", {}, prose(line)));
    }
  }
  return parts;
}
