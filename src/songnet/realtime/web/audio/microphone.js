// The microphone, whose samples go from the browser's audio thread straight to the worker.

/** An open microphone. */
export class Microphone {
  /**
   * Ask for the microphone and open it.
   *
   * @param {function(string)} onTrouble gets "suspended" or "running" when the browser stops or goes
   *   on, and "ended" when the device is gone.
   * @throws {Error} it is not there, or not allowed.
   */
  static async open(onTrouble) {
    if (!navigator.mediaDevices) throw new Error("open this page at localhost or by https");
    const media = await navigator.mediaDevices.getUserMedia({
      // What helps speech harms music.
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    const microphone = new Microphone(media);
    try {
      await microphone.connect(onTrouble);
    } catch (error) {
      microphone.close(); // nobody else knows that it is open
      throw error;
    }
    return microphone;
  }

  constructor(media) {
    this.media = media;
    this.context = new AudioContext();
    this.rate = this.context.sampleRate;
  }

  async connect(onTrouble) {
    const { context, media } = this;
    await context.audioWorklet.addModule(new URL("recorder.js", import.meta.url));
    const recorder = new AudioWorkletNode(context, "recorder");
    const { port1, port2 } = new MessageChannel();
    recorder.port.postMessage(port1, [port1]);
    this.port = port2;
    context.createMediaStreamSource(media).connect(recorder);
    context.onstatechange = () => context.state !== "closed" && onTrouble(context.state);
    media.getTracks().forEach((track) => (track.onended = () => onTrouble("ended")));
    if (context.state !== "running") onTrouble("suspended");
    context.resume();
  }

  close() {
    this.media.getTracks().forEach((track) => track.stop());
    this.context.onstatechange = null;
    this.context.close();
  }
}
