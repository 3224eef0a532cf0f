// Calls to the server.

const HEADERS = { "X-M365-Drv": "page" };

/** The server refuses this window. */
export class Refused extends Error {}

/** The server does not answer. */
export class Lost extends Error {}

let refused = () => {};

/** What to do when a call is refused. */
export function whenRefused(listener) {
  refused = listener;
}

async function call(path, options) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", credentials: "same-origin", ...options });
  } catch {
    throw new Lost();
  }
  if (answer.status === 403) {
    refused();
    throw new Refused();
  }
  return answer;
}

/** Posts a body: text, bytes, or an object as JSON. */
export function post(path, body = "") {
  const isObject = typeof body === "object" && !(body instanceof Blob);
  const headers = isObject ? { ...HEADERS, "Content-Type": "application/json" } : HEADERS;
  return call(path, { method: "POST", headers, body: isObject ? JSON.stringify(body) : body });
}

/** Gets something. */
export function get(path) {
  return call(path, {});
}

/** The one sentence of an answer that is an error. */
export async function why(answer, otherwise) {
  const text = (await answer.text()).trim();
  try {
    return JSON.parse(text).error || otherwise;
  } catch {
    return text || otherwise;
  }
}

const TOKEN = /^#[0-9a-f]{64}$/;

/** Begins the session with the token in the address, or with the cookie of an earlier tab. */
export async function begin() {
  if (TOKEN.test(location.hash)) {
    const token = location.hash.slice(1);
    history.replaceState(null, "", "/");
    const answer = await fetch("/api/session", { method: "POST", headers: HEADERS, body: token }).catch(() => null);
    if (answer?.ok) return;
  }
  await get("/api/state");
}

/** Listens to the events; comes back by itself. Returns how to stop. */
export function listen({ opened, lost, event }) {
  let source = null;
  let timer = 0;
  let stopped = false;
  const connect = () => {
    source = new EventSource("/api/events");
    source.onopen = opened;
    source.onmessage = (message) => event(JSON.parse(message.data));
    source.onerror = () => {
      if (stopped) return;
      lost();
      if (source.readyState === EventSource.CLOSED) again();
    };
  };
  const again = () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      if (stopped) return;
      try {
        await get("/api/state");
        connect();
      } catch (error) {
        if (error instanceof Lost) again();
      }
    }, 1000);
  };
  connect();
  return () => {
    stopped = true;
    clearTimeout(timer);
    source?.close();
  };
}
