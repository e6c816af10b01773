// Hands the microphone's samples to the page, a few thousand at a time: the mean of its channels.
class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.buffer = new Float32Array(2048);
    this.filled = 0;
  }

  process(inputs) {
    const channels = inputs[0];
    if (channels.length) {
      const size = channels[0].length;
      for (let i = 0; i < size; i++) {
        let sum = 0;
        for (const channel of channels) sum += channel[i];
        this.buffer[this.filled + i] = sum / channels.length;
      }
      this.filled += size;
      if (this.filled >= this.buffer.length) {
        this.port.postMessage(this.buffer.slice());
        this.filled = 0;
      }
    }
    return true;
  }
}
registerProcessor("recorder", Recorder);
