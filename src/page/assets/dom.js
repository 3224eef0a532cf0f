// Elements, made without any HTML text.

/** Makes an element. A property that begins with "on" is a listener, "class" and others are attributes; false leaves one out. */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const filled = new WeakMap();

/** Fills a part of the page again only if `key` has changed, so that focus and what is being typed stay. */
export function fill(slot, key, build) {
  const text = JSON.stringify(key);
  if (filled.get(slot) === text) return false;
  filled.set(slot, text);
  const made = [build()].flat().filter(Boolean);
  slot.replaceChildren(...made);
  slot.hidden = made.length === 0;
  return true;
}

/** Sets the text of an element if it differs, so that a screen reader does not hear it again. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const LINK = /(https:\/\/[^\s"'<>()]+[^\s"'<>().,;:])|`m365-drv explain ([\w-]+)`|`([^`]+)`/g;

// A topic in capitals stands for one that the reader knows.
const about = (topic) => (topic === topic.toLowerCase() ? `#/explain/${topic}` : "#/explain");

/** A sentence with its addresses as links and its commands as code. */
export function prose(text) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(LINK)) {
    parts.push(text.slice(at, found.index));
    const [whole, address, topic, code] = found;
    if (address) parts.push(make("a", { href: address, rel: "noreferrer noopener", target: "_blank" }, address));
    else if (topic) parts.push(make("a", { href: about(topic) }, make("code", {}, `m365-drv explain ${topic}`)));
    else parts.push(make("code", {}, code));
    at = found.index + whole.length;
  }
  parts.push(text.slice(at));
  return parts.filter((part) => part !== "");
}

/** Tells a screen reader something: "polite" waits until it has finished, "assertive" does not. */
export function aloud(text, how = "polite") {
  const region = document.getElementById(how);
  region.textContent = "";
  setTimeout(() => {
    region.textContent = text;
  }, 50);
}

let count = 0;

/** A new id. */
export function id() {
  count += 1;
  return `n${count}`;
}
