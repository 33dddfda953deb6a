import { nowMicros } from "../load/clock.js";

/**
 * @typedef {object} FeedEvent
 * @property {string} channel
 * @property {string} data
 */

/** The numbered events: event i (from 1) has `id: i`. `n` counts all events, or those of the channel if there are channels. */
export class Feed {
  /** Each event as it goes out; event i at index i - 1. @type {string[]} */
  frames = [];
  #channels;
  #padding;

  /**
   * @param {object} options
   * @param {number} options.size bytes of an event's data
   * @param {number} options.channels how many channels take turns; 0: none
   */
  constructor({ size, channels }) {
    this.#channels = channels;
    this.#padding = "x".repeat(size);
  }

  get count() {
    return this.frames.length;
  }

  /**
   * Creates the next events.
   * @param {number} count
   * @returns {FeedEvent[]}
   */
  next(count) {
    const time = Math.round(nowMicros() * 1000);
    return Array.from({ length: count }, () => {
      const index = this.frames.length;
      const channel = this.#channels > 0 ? `c${index % this.#channels}` : "";
      const n = this.#channels > 0 ? Math.floor(index / this.#channels) + 1 : index + 1;
      const data = this.#data(n, time, channel);
      this.frames.push(`id: ${index + 1}\ndata: ${data}\n\n`);
      return { channel, data };
    });
  }

  /** The number of the last event of a connection, counted per channel if there are channels. */
  get last() {
    return this.#channels > 0 ? Math.floor(this.count / this.#channels) : this.count;
  }

  #data(/** @type {number} */ n, /** @type {number} */ time, /** @type {string} */ channel) {
    const head = `{"n":${n},"t":${time}${channel && `,"c":"${channel}"`},"p":"`;
    return `${head}${this.#padding.slice(head.length + 2)}"}`;
  }
}
