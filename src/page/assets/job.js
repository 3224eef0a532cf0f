// What the events of one task on a board have told so far.

/** A job of which nothing is known yet. */
export function fresh() {
  return { probe: null, contact: null, board: null, found: null, backup: null, ...task() };
}

function task() {
  return { pages: new Map(), steps: [], progress: null, warnings: [], isFree: false, stepSince: 0 };
}

/** Takes an event into the job. Returns whether it was one of a job. */
export function take(job, event) {
  switch (event.event) {
    case "job":
      Object.assign(job, task());
      reached(job);
      return true;
    case "probe":
      job.probe = event;
      return true;
    case "contact":
      job.contact = event;
      return true;
    case "board":
      job.board = event;
      return true;
    case "found":
      job.found = event;
      return true;
    case "backup":
      job.backup = event.path;
      return true;
    case "plan":
      job.pages = new Map(event.pages.map(({ address, action }) => [address, { action, state: action }]));
      return true;
    case "page":
      if (job.pages.has(event.address)) job.pages.get(event.address).state = event.state;
      else job.pages.set(event.address, { action: "keep", state: event.state });
      reached(job);
      return true;
    case "step":
      step(job, event);
      return true;
    case "progress":
      if (event.total_bytes > 0) {
        job.progress = event;
        reached(job);
      }
      return true;
    case "warning":
      if (!job.warnings.includes(event.message)) job.warnings.push(event.message);
      return true;
    case "contact-free":
      job.isFree = true;
      reached(job);
      return true;
    default:
      return false;
  }
}

// What moves on does not wait.
function reached(job) {
  if (job.contact?.need) job.contact = { ...job.contact, need: null };
}

function step(job, { step: name, state, took_ms: took = 0 }) {
  let row = job.steps.find((other) => other.name === name);
  if (!row) {
    row = { name, state, took: 0 };
    job.steps.push(row);
  }
  row.state = state;
  if (state === "started") {
    job.stepSince = performance.now();
    job.progress = null;
  } else {
    row.took += took;
    if (job.progress?.step === name) job.progress = null;
  }
}

/** The step that runs now. */
export function running(job) {
  return job.steps.findLast((row) => row.state === "started") ?? null;
}

/** Milliseconds spent on the steps so far. */
export function elapsed(job) {
  const finished = job.steps.reduce((sum, row) => sum + row.took, 0);
  return finished + (running(job) ? performance.now() - job.stepSince : 0);
}
