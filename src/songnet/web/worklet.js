// Hands the microphone's samples to the page, a few thousand at a time.
class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.buffer = new Float32Array(2048);
    this.filled = 0;
  }

  process(inputs) {
    const channel = inputs[0][0];
    if (channel) {
      this.buffer.set(channel, this.filled);
      this.filled += channel.length;
      if (this.filled >= this.buffer.length) {
        this.port.postMessage(this.buffer.slice());
        this.filled = 0;
      }
    }
    return true;
  }
}
registerProcessor("recorder", Recorder);
