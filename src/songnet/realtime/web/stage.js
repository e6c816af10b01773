// The playing piece: player, picture with playhead, predictions at the playhead.

import { Picture, MARGIN } from "./picture.js";
import { clock, percent, ranked } from "./piece.js";
import { element, setText, showProgress, showStep } from "./view.js";

const STRIDES = { ArrowLeft: -5, ArrowRight: 5, ArrowDown: -5, ArrowUp: 5, PageDown: -30, PageUp: 30 }; // seconds

export class Stage {
  constructor(player) {
    this.player = player;
    this.model = null;
    this.piece = null;
    this.shownStep = undefined; // step shown on the page; null if not analysed yet
    this.invitation = element("title").textContent;
    this.place = element("picture");
    this.picture = new Picture(this.place.querySelector("canvas"));
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.wire();
    this.follow = this.follow.bind(this);
    requestAnimationFrame(this.follow);
  }

  wire() {
    const { place, player, picture } = this;
    new ResizeObserver(() => {
      picture.resize(place.clientWidth, place.clientHeight);
      this.moved = null;
    }).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => picture.draw());
    place.addEventListener("click", (event) => this.seek(this.secondsAt(event)));
    place.addEventListener("pointermove", (event) => this.read(this.secondsAt(event)));
    place.addEventListener("keydown", (event) => this.press(event));
    player.addEventListener("loadedmetadata", () => {
      if (this.piece && Number.isFinite(player.duration)) this.piece.duration ??= player.duration;
      this.update();
    });
    element("smoothing").addEventListener("input", ({ target }) => {
      setText(element("smoothing-value"), `${target.value} s`);
      this.smooth();
    });
  }

  /** Smoothing window of "now", in steps. */
  get window() {
    return Math.max(1, Math.round(element("smoothing").value / this.model.stepSeconds));
  }

  smooth() {
    if (!this.piece) return;
    this.picture.window = this.window;
    this.picture.draw();
    this.shownStep = undefined;
  }

  show(piece) {
    this.piece = piece;
    setText(element("title"), piece.title);
    setText(element("credit"), piece.credit);
    this.picture.window = this.window;
    this.picture.show(piece, this.model.colours);
    this.place.dataset.steps = piece.steps;
    this.place.setAttribute("aria-disabled", String(piece.live));
    this.place.querySelector(".played").hidden = piece.live;
    this.shownStep = this.moved = undefined;
  }

  play(piece) {
    const { player } = this;
    if (player.src) URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(piece.file);
    player.hidden = false;
    player.play().catch(() => {}); // if autoplay is blocked, the user presses play
  }

  clear() {
    const { player } = this;
    this.piece = null;
    player.pause();
    player.hidden = true;
    if (player.src) URL.revokeObjectURL(player.src);
    player.removeAttribute("src");
    player.load();
    setText(element("title"), this.invitation);
    setText(element("credit"), "");
    setText(element("progress"), "");
    this.picture.show(null);
    this.place.querySelector(".played").hidden = true;
    this.place.setAttribute("aria-disabled", "true");
  }

  /** Update the page after the piece has changed. */
  update() {
    if (!this.piece) return;
    showProgress(this.piece);
    this.picture.update();
    this.place.dataset.steps = this.piece.steps;
    this.shownStep = undefined;
  }

  /** Move the playhead and update predictions, once per animation frame. */
  follow() {
    requestAnimationFrame(this.follow);
    const { piece } = this;
    if (!piece?.model) return;
    if (!piece.live) this.movePlayhead();
    const last = piece.steps ? piece.steps - 1 : null;
    const step = piece.live ? last : piece.stepAt(this.player.currentTime);
    if (step === this.shownStep) return;
    this.shownStep = step;
    showStep(piece, step, this.window, this.model);
  }

  movePlayhead() {
    const { place, piece, picture } = this;
    const time = this.player.currentTime;
    const seconds = this.calm.matches ? Math.floor(time / piece.model.stepSeconds) * piece.model.stepSeconds : time;
    const x = Math.min(1, seconds / picture.range[1]) * picture.width;
    if (x === this.moved) return;
    this.moved = x;
    for (const part of place.querySelectorAll(".veil, .playhead")) part.style.transform = `translateX(${x}px)`;
    const whole = Math.floor(time);
    if (whole === this.shownSecond) return;
    this.shownSecond = whole;
    place.setAttribute("aria-valuemax", Math.round(piece.seconds));
    place.setAttribute("aria-valuenow", whole);
    place.setAttribute("aria-valuetext", `${clock(whole)} of ${clock(piece.seconds)}`);
  }

  secondsAt(event) {
    const box = this.place.getBoundingClientRect();
    const share = (event.clientX - box.left - MARGIN.left) / this.picture.width;
    const [start, end] = this.picture.range;
    return start + Math.min(1, Math.max(0, share)) * (end - start);
  }

  seek(seconds) {
    if (!this.piece || this.piece.live) return;
    this.player.currentTime = Math.min(Math.max(0, seconds), this.piece.seconds);
  }

  press(event) {
    if (!this.piece || this.piece.live) return;
    const { player, piece } = this;
    if (event.key in STRIDES) this.seek(player.currentTime + STRIDES[event.key]);
    else if (event.key === "Home") this.seek(0);
    else if (event.key === "End") this.seek(piece.seconds);
    else if (event.key === " ") player.paused ? player.play() : player.pause();
    else return;
    event.preventDefault();
  }

  /** Show the predictions under the pointer. */
  read(seconds) {
    const step = this.piece?.model ? this.piece.stepAt(seconds) : null;
    if (step === null || this.piece.silent(step)) return;
    const found = ranked(this.piece.now(step, this.window), this.model.genres).slice(0, 3);
    const shares = found.map(({ genre, probability }) => `${genre} ${percent(probability)}`);
    setText(element("readout"), `${clock(seconds)}: ${shares.join(", ")}`);
  }
}
