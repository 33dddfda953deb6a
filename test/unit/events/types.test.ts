import type { GatewayStream, ReceivedEvent, TypedStream } from "spillway";
import type { EventOf, EventsOf } from "spillway/client";
import { defineStream, type ChannelOf, type DataOf, type Gap, type InputsOf, type InvalidEvent } from "spillway/events";
import { type } from "arktype";
import * as v from "valibot";
import { expectTypeOf, test } from "vitest";
import { z } from "zod";

// These tests fail when they are compiled (`npm run types`).

const orders = defineStream("orders", {
  events: {
    placed: z.object({ id: z.string(), at: z.string().transform((text) => new Date(text)) }),
    paid: v.object({ id: v.string(), amount: v.optional(v.number(), 0) }),
    shipped: type({ id: "string" }),
  },
  channels: ["user:{id}", "shop:{name}:all", "news"],
});
type Orders = typeof orders;

const nothing = (): unknown => undefined;
const stream = {
  publish: nothing,
  to: () => stream,
  send: nothing,
  subscribe: nothing,
} as unknown as TypedStream<Orders>;

test("what is published has the input types of the schemas, whichever library they are of", () => {
  expectTypeOf<InputsOf<Orders>>().toEqualTypeOf<{
    readonly placed: { id: string; at: string };
    readonly paid: { id: string; amount?: number | undefined };
    readonly shipped: { id: string };
  }>();
  expectTypeOf(stream.publish).toBeCallableWith("paid", { id: "1" }, { channel: "user:42" });
  expectTypeOf(stream.publish<"shipped">)
    .parameter(1)
    .toEqualTypeOf<{ id: string }>();
  expectTypeOf(stream.publish).parameter(0).toEqualTypeOf<"placed" | "paid" | "shipped">();
  expectTypeOf(stream.to("news").publish).parameter(0).toEqualTypeOf<"placed" | "paid" | "shipped">();
  expectTypeOf(stream.send).parameter(1).toEqualTypeOf<"placed" | "paid" | "shipped">();
});

test("channels are those of the definition, with any text in the places of parameters", () => {
  expectTypeOf<ChannelOf<Orders>>().toEqualTypeOf<`user:${string}` | `shop:${string}:all` | "news">();
  expectTypeOf(stream.to).parameter(0).toEqualTypeOf<`user:${string}` | `shop:${string}:all` | "news">();
  const open = defineStream("open", { events: {} });
  expectTypeOf<ChannelOf<typeof open>>().toEqualTypeOf<string>();
});

test("what is received is a union by `event`, with the output types and the control events", () => {
  type Received = ReceivedEvent<Orders>;
  expectTypeOf<Received["event"]>().toEqualTypeOf<
    "placed" | "paid" | "shipped" | "spillway.gap" | "spillway.reset" | "spillway.invalid"
  >();
  type Of<Type extends Received["event"]> = Extract<Received, { event: Type }>["data"];
  expectTypeOf<Of<"placed">>().toEqualTypeOf<{ id: string; at: Date }>();
  expectTypeOf<Of<"paid">>().toEqualTypeOf<{ id: string; amount: number }>();
  expectTypeOf<Of<"shipped">>().toEqualTypeOf<{ id: string }>();
  expectTypeOf<Of<"spillway.gap">>().toEqualTypeOf<Gap>();
  expectTypeOf<Of<"spillway.invalid">>().toEqualTypeOf<InvalidEvent>();
  expectTypeOf<DataOf<Orders>["placed"]>().toEqualTypeOf<{ id: string; at: Date }>();
  expectTypeOf(stream.subscribe()).toEqualTypeOf<AsyncIterable<Received>>();
});

test("the client has the same types, in a union by `type`", () => {
  type Received = EventOf<EventsOf<Orders>>;
  expectTypeOf<Received["type"]>().toEqualTypeOf<"placed" | "paid" | "shipped" | "spillway.invalid">();
  expectTypeOf<Extract<Received, { type: "placed" }>["data"]>().toEqualTypeOf<{ id: string; at: Date }>();
});

test("a stream without a definition accepts any event", () => {
  expectTypeOf<GatewayStream["publish"]>().toBeCallableWith("anything", { any: "value" }, { channel: "any" });
});
