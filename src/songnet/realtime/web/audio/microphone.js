// The microphone. Its samples go directly from the browser's audio thread to the worker.

/** An open microphone. */
export class Microphone {
  /**
   * Ask for the microphone and open it.
   *
   * @param {function(string)} onTrouble called with "suspended" or "running" when the browser pauses
   *   or resumes recording, and with "ended" when the device is disconnected.
   * @throws {Error} there is no microphone, or no permission to use it.
   */
  static async open(onTrouble) {
    if (!navigator.mediaDevices) throw new Error("open this page on localhost or over https");
    const media = await navigator.mediaDevices.getUserMedia({
      // These filters are made for speech and distort music.
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    const microphone = new Microphone(media);
    try {
      await microphone.connect(onTrouble);
    } catch (error) {
      microphone.close(); // the caller has no reference to close it
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
