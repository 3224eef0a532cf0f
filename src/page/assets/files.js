// Files that are dropped onto the page, or chosen with a button.

import { aloud, make } from "./dom.js";
import { post, why } from "./server.js";
import * as words from "./words.js";

const LIMIT = 16 * 1024 * 1024;

/** Takes files. `say` shows one sentence, or nothing. */
export class Files {
  constructor(say) {
    this.say = say;
    this.overlay = make(
      "div",
      { class: "drop", hidden: true },
      make("p", {}, make("strong", {}, words.FILE.drop), make("span", {}, words.FILE.dropHint)),
    );
    document.body.append(this.overlay);
    this.depth = 0;
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    const on = (name, act) => addEventListener(name, (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      act(event);
      this.overlay.hidden = this.depth === 0;
    });
    on("dragenter", () => (this.depth += 1));
    on("dragleave", () => (this.depth = Math.max(0, this.depth - 1)));
    on("dragover", (event) => (event.dataTransfer.dropEffect = "copy"));
    on("drop", (event) => {
      this.depth = 0;
      this.take([...event.dataTransfer.files]);
    });
  }

  /** A button that chooses a file, and what is said of it. */
  button(hint) {
    const input = make("input", {
      id: "file", type: "file", class: "unseen", accept: ".bin,.hex,.enc,.zip,.json", tabindex: "-1", "aria-hidden": "true",
      onchange: () => {
        this.take([...input.files]);
        input.value = "";
      },
    });
    const choose = make("button", { type: "button", id: "choose", class: "primary", onclick: () => input.click() }, words.FILE.choose);
    return make("div", { class: "files" }, hint ? make("p", { class: "hint" }, hint) : null, choose, input);
  }

  async take(files) {
    const [file] = files;
    if (!file) return this.say(words.FILE.none);
    if (files.length > 1) return this.say(words.FILE.several);
    if (file.size > LIMIT) return this.say(words.FILE.tooLarge(file.name, file.size / 1024 / 1024));
    let bytes;
    try {
      bytes = new Blob([await file.arrayBuffer()]);
    } catch {
      return this.say(words.FILE.unreadable(file.name));
    }
    aloud(words.FILE.sending(file.name));
    this.say(null);
    try {
      const answer = await post(`/api/file?name=${encodeURIComponent(file.name)}`, bytes);
      if (answer.status === 413) this.say(words.FILE.tooLarge(file.name, file.size / 1024 / 1024));
      else if (!answer.ok) this.say(await why(answer, words.FILE.refused(file.name)));
    } catch {
      this.say(words.FAILED_CALL);
    }
    return undefined;
  }
}
