// Every sentence that the page itself says. The sentences of the cards come from the program.

export const PROGRAM = "m365-drv";

export const NAV = { job: "Job", doctor: "Doctor", backups: "Backups", explain: "Explain", batch: "Batch" };
export const NAV_LABEL = "Pages";
export const SIMULATED = "simulated board: no hardware is touched";
export const SOUND_ON = "Sound is on";
export const SOUND_OFF = "Sound is off";

export const LOADING = "Connecting to m365-drv…";
export const LOST = "No connection to m365-drv. Trying again…";
export const FOUND_AGAIN = "Connected again.";
export const BYE = { title: "m365-drv has ended", text: "You can close this window. To begin again, run `m365-drv ui`." };
export const REFUSED = {
  title: "Open the page again",
  text: "This window is not connected to m365-drv. Start m365-drv again, or run `m365-drv ui` in a terminal: it opens the page.",
};
export const FAILED_CALL = "m365-drv did not answer. Try again.";

export const BACK = "Back";
export const STOP_WAITING = "Stop waiting";
export const CONTINUE = "Continue";
export const STOP = "Stop here";
export const BEGIN_AGAIN = "Begin again";
export const END = { title: "The job is over", text: "You can close this window, or begin again." };
export const DEFAULT_KEY = "Enter";
export const EXAMPLE = (example) => `for example ${example}`;
export const TYPE_WORD = (word) => `Type the word \`${word}\` to agree`;
export const AGREE = (word) => `Agree: ${word}`;
export const NEW_CARD = (title) => `Next: ${title}`;

export const DOING = {
  search: "Looking for firmware files…",
  fetch: "Fetching firmware…",
  open: "Reading the file…",
  watch: "Waiting for a firmware file in the folder…",
  contact: "Waiting for the probe and good contact…",
  look: "Reading the board: hold the wires…",
  preview: "Reading the board: hold the wires…",
  flash: "Working on the board…",
};

export const FACTS = "Facts";

export const CHANGE = {
  caption: "Serial number and mileage",
  what: "",
  before: "on the board",
  after: "after the work",
  serial: "serial number",
  mileage: "mileage",
  unknown: "unknown",
  kilometres: (metres) => `${Math.floor(metres / 1000)}.${Math.floor((metres % 1000) / 100)} km`,
};

export const METER = {
  label: "Contact",
  good: "good",
  poor: "poor",
  none: "none",
  untried: "not tried",
  reads: (good, of) => `${good} of ${of} ${of === 1 ? "read" : "reads"} good`,
  noReads: "no reads yet",
  voltage: "target voltage",
  volts: (millivolts) => `${Math.floor(millivolts / 1000)}.${Math.floor((millivolts % 1000) / 100)} V`,
  noVoltage: "not measured",
};

export const NEED = {
  contact: "No contact: put the wires back on the pads.",
  "power-cycle": "Power-cycle the board: disconnect its supply for a second, then connect it again.",
  probe: "No probe found: plug it in, or try another cable or USB port.",
  replug: "The probe does not answer. Unplug it and plug it in again.",
  "next-board": "Connect the next board.",
};

export const HOLD = "HOLD THE WIRES";
export const LET_GO = "LET GO";
export const HOLD_MORE = "Keep all wires on the pads.";
export const LET_GO_MORE = "Everything is verified. You may take the wires away.";
export const LET_GO_ALOUD = "Let go. You may take the wires away.";
export const JOB_RUNS = "A board is being written. Show the job";
export const CLOSE_IS_SAFE = "Closing this window does not stop the work.";
export const FAILED_ALOUD = (title, why) => (why ? `${title}: ${why}` : title);

export const STEPS_LABEL = "Phases";
export const STEP = {
  connect: "connect to the chip",
  identify: "identify the chip",
  rescue: "read serial number and mileage",
  backup: "save a backup",
  unlock: "unlock the chip",
  examine: "compare what is there",
  program: "write",
  verify: "verify",
  lock: "set read-out protection",
  reset: "reset the chip",
  boot: "start the firmware",
  next: "wait for the next board",
};
export const STEP_STATE = { waiting: "to do", started: "now", finished: "done", skipped: "not needed", stopped: "stopped" };
export const SECONDS = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;
export const ELAPSED = "time so far";
export const TOOK = "time taken";
export const PROGRESS_LABEL = "Progress of this phase";
export const PERCENT = (done, total) => `${total > 0 ? Math.floor((done * 100) / total) : 0} %`;
export const PROGRESS = (name, done, total) => `${name}: ${done.toLocaleString("en")} of ${total.toLocaleString("en")} bytes`;
export const PHASE_ALOUD = (name) => `Phase: ${name}`;
export const WARNINGS = "Remarks";

export const MEMORY = {
  title: (pages) => `Flash memory: ${pages}`,
  pages: (count) => `${count} ${count === 1 ? "page" : "pages"}`,
  keep: "stays as it is",
  erase: "will be erased",
  program: "will be written",
  skipped: "already correct",
  erased: "erased",
  programmed: "written",
  verified: "verified",
  table: "The same as a table",
  from: "from",
  to: "to",
  count: "pages",
  state: "state",
  cell: (address, state) => `${address}: ${state}`,
  summary: (total, parts) => `Flash memory, ${total}: ${parts.join(", ")}`,
  part: (count, state) => `${count} ${count > 1 && state === MEMORY.keep ? "stay as they are" : state}`,
};

export const FILE = {
  choose: "Choose a file",
  firmware: "You have the firmware as a file? Choose it, or drop it anywhere on this page: bin, hex, enc or zip.",
  backup: "You have a backup of this board? Choose it (json), or drop it anywhere on this page: serial number and mileage are taken from it.",
  drop: "Drop the file here",
  dropHint: "firmware (bin, hex, enc, zip) or a backup (json)",
  sending: (name) => `Reading "${name}"…`,
  tooLarge: (name, mebibytes) => `"${name}" is too large (${mebibytes.toFixed(1)} MiB; the limit is 16 MiB)`,
  several: "Drop one file at a time.",
  none: "That was not a file. Drop a firmware file or a backup.",
  unreadable: (name) => `"${name}" cannot be read. Folders cannot be dropped: drop the file itself.`,
  refused: (name) => `"${name}" cannot be used now.`,
};

export const REPORT = "Save the report";
export const BACKUP = "Save the backup";

export const PICTURES = {
  "pads-top": "The controller board, top side. Three pads in a column: the square one at the top is GND, the middle one SWCLK, the last one SWDIO. The 5V pad is by the regulator.",
  "pads-bottom": "The controller board, bottom side. Three round pads in a column, from the top: GND, SWCLK, SWDIO. The 5V pad is near the connector.",
  "pads-4pro": "The controller board of the 4 Pro, bottom side. Three pads in a column, from the top: GND, SWCLK, SWDIO. A fourth small point below them stays free. 5V goes to the first pin of the six-pin connector.",
  "pads-unknown": "Three pads in a row: GND is the first and often square, SWCLK is in the middle, SWDIO is the last. The 5V pad is by the regulator.",
  "probe-header": "The ten pins of two common ST-Link clones. On one, pin 2 is SWDIO, pins 3 and 4 are GND, and pin 6 is SWCLK. On the other, pin 2 is SWCLK, pin 4 is SWDIO, and pins 5 and 6 are GND. Pins 9 and 10 are 5V on both.",
};
export const PADS_CAPTION = {
  "pads-top": "M365 and Pro: top side. The drawing shows the order, not the exact place.",
  "pads-bottom": "1S, Pro 2, Lite and Mi 3: bottom side. The drawing shows the order, not the exact place.",
  "pads-4pro": "4 Pro: bottom side. Leave the fourth, small point free: it is 3.3 V.",
  "pads-unknown": "The order is the same on all boards seen so far.",
};
export const HEADER_TITLE = "Which pin of an ST-Link clone is which?";
export const HEADER_CAPTION =
  "Clones come in two pin orders, and the case may show the wrong one: trust the labels on the circuit board.";

export const BLOCK_TONE = { good: "good", bad: "bad", remark: "remark", plain: "" };

export const DOCTOR = {
  title: "Doctor",
  text: "This checks the probe, the wires, the board and the firmware files. Hold the wires on the pads before you start. Nothing is changed.",
  start: "Start the checks",
  running: "Checking: hold the wires…",
  done: "The checks are done.",
};
export const BACKUPS = { title: "Backups", empty: "There are no backups yet." };
export const EXPLAIN = {
  title: "Explain",
  all: "All topics",
  label: "error code or topic",
  example: "21",
  show: "Show",
};
export const GETTING = "Loading…";

export const BATCH = {
  title: "Batch",
  missing: "A batch cannot be started from this page. Run `m365-drv batch --help` in a terminal.",
  text: "For workshops: one board after the other, on every probe that is attached. Connect a board, wait for LET GO, connect the next one.",
  scooter: "scooter",
  erase: "Erase locked boards",
  eraseDetail:
    "Unlocking a locked chip erases its whole flash. Serial number and mileage are written back if they can be read. Without this, locked boards are refused.",
  start: "Start the batch",
  stop: "Stop the batch",
  log: "log",
  noProbes: "No probe found yet. Plug one in.",
  ok: "finished",
  failed: "failed",
  skipped: "skipped",
  probe: (name) => `probe ${name}`,
  unit: (number) => `board ${number}`,
  last: "Last boards",
  done: "done",
  doneBefore: "done before",
  next: "Connect the next board.",
  aloud: (name, number, message) => `Probe ${name}, board ${number}: ${message}`,
};
