import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { scheme } from "./theme.tsx";

interface ChartProps {
  /** What the line shows, with its latest value, for screen readers. */
  readonly label: string;
  /** The values in turn; `null` where there is none. */
  readonly values: readonly (number | null)[];
  /** In CSS pixels. The width is that of the container. */
  readonly height: number;
}

/** A line over time, from zero to its largest value. */
export function Chart({ label, values, height }: ChartProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const colors = scheme.value;
  useEffect(() => draw(canvas.current!, values), [values, colors]);
  return <canvas ref={canvas} role="img" aria-label={label} height={height} class="chart" />;
}

function draw(canvas: HTMLCanvasElement, values: readonly (number | null)[]): void {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  if (!context || width === 0) return;
  context.scale(scale, scale);
  context.strokeStyle = getComputedStyle(canvas).color;
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  const largest = Math.max(1e-9, ...values.map((value) => value ?? 0));
  const x = (index: number): number => 1 + (index * (width - 2)) / Math.max(values.length - 1, 1);
  const y = (value: number): number => height - 2 - (value / largest) * (height - 4);
  context.beginPath();
  let isOpen = false;
  for (const [index, value] of values.entries()) {
    if (value === null) isOpen = false;
    else {
      if (isOpen) context.lineTo(x(index), y(value));
      else context.moveTo(x(index), y(value));
      isOpen = true;
    }
  }
  context.stroke();
}
