/** A price chart on a canvas. What was replayed after a reconnect is drawn on a tinted ground. */

const length = 150;

/** @param {HTMLCanvasElement} canvas */
export function createChart(canvas) {
  const context = canvas.getContext("2d");
  /** @type {Array<{ price: number, wasReplayed: boolean }>} */
  const points = [];
  let isDrawn = true;

  /** Draws at most once per frame. */
  function draw() {
    isDrawn = true;
    const { clientWidth: width, clientHeight: height } = canvas;
    canvas.width = width * devicePixelRatio;
    canvas.height = height * devicePixelRatio;
    context.scale(devicePixelRatio, devicePixelRatio);
    const prices = points.map(({ price }) => price);
    const low = Math.min(...prices);
    const range = Math.max(...prices) - low || 1;
    const x = (index) => (index / (length - 1)) * width;
    const { color, accentColor } = getComputedStyle(canvas);
    context.fillStyle = accentColor;
    points.forEach(({ wasReplayed }, index) => wasReplayed && context.fillRect(x(index), 0, x(1) + 0.5, height));
    context.strokeStyle = color;
    context.lineWidth = 1.5;
    context.beginPath();
    prices.forEach((price, index) => context.lineTo(x(index), height - 2 - ((price - low) / range) * (height - 4)));
    context.stroke();
  }

  return {
    add(price, wasReplayed) {
      points.push({ price, wasReplayed });
      if (points.length > length) points.shift();
      if (isDrawn) requestAnimationFrame(draw);
      isDrawn = false;
    },
  };
}
