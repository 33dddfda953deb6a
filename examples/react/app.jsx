import { createRoot } from "react-dom/client";
import { SpillwayProvider, useStream, useStreamState } from "spillway/react";

function Prices() {
  const { data, stale } = useStream("prices", {
    start: { last: 20 },
    initial: {},
    reduce: (prices, { data: trade }) => ({ ...prices, [trade.symbol]: trade.price }),
  });
  return (
    <ul style={{ opacity: stale ? 0.5 : 1 }}>
      {Object.entries(data).map(([symbol, price]) => (
        <li key={symbol}>
          {symbol}: {price}
        </li>
      ))}
    </ul>
  );
}

function Status() {
  const { status } = useStreamState("prices");
  return <p>{status === "open" ? "live" : status}</p>;
}

createRoot(document.querySelector("main")).render(
  <SpillwayProvider client={{ url: "/live" }}>
    <Status />
    <Prices />
  </SpillwayProvider>,
);
