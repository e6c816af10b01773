// The microphone's controls: its level, and messages if no sound arrives.

import { Microphone } from "./audio/microphone.js";
import { Piece } from "./piece.js";
import { element, setText } from "./view.js";

const SILENT = 1e-4; // levels up to this are silence
const PATIENCE = 3000; // ms without sound before a message
const LOWEST = -60; // dB, at the left end of the meter
const TEXTS = {
  sound: "Listening",
  silence: "The microphone is silent. Is it muted?",
  nothing: "No data from the microphone. The browser may have paused it: press Microphone twice.",
};

export class Listening {
  /** @param {function(string)} say shows an error message. */
  constructor(analysis, stage, say) {
    Object.assign(this, { analysis, stage, say, piece: null });
    setInterval(() => this.check(), 500);
  }

  /** Open the microphone. @returns the piece that it records, or null on failure. */
  async start(isWanted) {
    element("microphone").disabled = true;
    try {
      const microphone = await Microphone.open((trouble) => this.trouble(trouble));
      if (!isWanted()) return microphone.close();
      this.microphone = microphone;
    } catch (error) {
      this.say(`The microphone cannot be used: ${error.message}`);
      return null;
    } finally {
      element("microphone").disabled = false;
    }
    this.piece = new Piece({ title: "Microphone", live: true });
    this.arrived = this.sounded = performance.now();
    this.analysis.listen(this.piece, this.microphone);
    element("microphone").setAttribute("aria-pressed", "true");
    element("level").hidden = false;
    setText(element("listening"), TEXTS.sound);
    return this.piece;
  }

  /** Close the microphone and finish the piece. */
  stop() {
    this.analysis.finish(this.piece);
    this.close();
  }

  close() {
    this.microphone.close();
    this.piece = null;
    element("microphone").setAttribute("aria-pressed", "false");
    element("level").hidden = true;
  }

  /** @param {number} value peak of the last 50 ms, 0 to 1. */
  level(value) {
    if (!this.piece) return;
    this.arrived = performance.now();
    if (value > SILENT) this.sounded = this.arrived;
    element("meter").value = Math.max(0, 1 - (20 * Math.log10(Math.max(value, 1e-9))) / LOWEST);
  }

  check() {
    if (!this.piece) return;
    const now = performance.now();
    const state = now - this.arrived > PATIENCE ? "nothing" : now - this.sounded > PATIENCE ? "silence" : "sound";
    if (state === "nothing") this.microphone.context.resume();
    setText(element("listening"), TEXTS[state]);
  }

  trouble(trouble) {
    if (trouble !== "ended" || !this.piece) return; // `check` handles suspension
    this.stop();
    this.say("The microphone was disconnected. The music so far is kept.");
  }
}
