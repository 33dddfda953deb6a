/**
 * What is done under a stream's row lock is done by functions in the database: one statement takes the lock, does all, commits and
 * gives it back. So no node waits for another that was paused, or cut off, in the middle of it. Each statement in them sees all that was
 * committed before the lock was had. `$schema` and `$channel` stand for the names in use.
 */
import { eventOverhead } from "../event-bytes.ts";
import { idempotencyAge } from "../idempotency.ts";

/**
 * Appends a group of batches, each whole or not at all, in order. Answers with the stream's row and
 *
 * - `epoch` alone, if it is not (or no longer) that of the caller: `null` where the stream is gone, a new one where the log has lost
 *   events that the caller knows.
 * - `size`, `start`, `exceptions`: what became of the group, now or when it came before; a `size` of 0 says that it was called off.
 * - `times`: the time of each batch's events; absent where the group came before.
 */
export const appendFunction: string = `
CREATE FUNCTION $schema.append_events(
  p_stream bigint, p_epoch text,
  p_head bigint, p_time bigint,            -- the last event that the caller knows
  p_next_epoch text,                       -- for a log that has lost it
  p_writer text, p_number bigint,          -- the group
  -- An element for each batch.
  p_clocks bigint[], p_fences bigint[], p_cursors text[], p_keys text[], p_fingerprints text[], p_sizes integer[],
  -- An element for each event; p_batches says of which batch, from 1 on.
  p_batches integer[], p_events text[], p_channels text[], p_upstream_ids text[], p_publisher_ids text[], p_data text[],
  p_bytes integer[]
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  log $schema.streams;
  written $schema.writers;
  known $schema.idempotency_keys;
  batch record;
  passed integer := 0;                     -- events of the batches before
  shifts bigint[];                         -- what to add to an event's place in the group; NULL if it is not appended
  times bigint[];
  added bigint;
BEGIN
  SELECT * INTO log FROM $schema.streams WHERE id = p_stream FOR UPDATE;
  IF log.epoch IS DISTINCT FROM p_epoch THEN
    RETURN jsonb_build_object('epoch', log.epoch);
  END IF;
  IF log.head < p_head
    OR EXISTS (SELECT FROM $schema.events WHERE stream = p_stream AND seq = p_head AND time <> p_time)
  THEN
    UPDATE $schema.streams SET epoch = p_next_epoch, changes = changes + 1 WHERE id = p_stream;
    RETURN jsonb_build_object('epoch', p_next_epoch);
  END IF;

  SELECT * INTO written FROM $schema.writers WHERE stream = p_stream AND writer = p_writer AND number >= p_number;
  IF FOUND THEN
    RETURN to_jsonb(log)
      || jsonb_build_object('size', written.size, 'start', written.start, 'exceptions', written.exceptions);
  END IF;

  written.start := log.head;
  written.exceptions := '[]';
  FOR batch IN
    SELECT * FROM unnest(p_clocks, p_fences, p_cursors, p_keys, p_fingerprints, p_sizes)
      WITH ORDINALITY AS b (clock, fence, cursor, key, fingerprint, size, place)
  LOOP
    passed := passed + batch.size;
    IF batch.fence < log.fence THEN
      written.exceptions := written.exceptions || jsonb_build_object('batch', batch.place);
      CONTINUE;
    END IF;
    IF batch.key IS NOT NULL THEN
      SELECT * INTO known FROM $schema.idempotency_keys
        WHERE stream = p_stream AND key = batch.key AND time > batch.clock - ${idempotencyAge};
      IF FOUND THEN
        written.exceptions := written.exceptions || jsonb_build_object('batch', batch.place, 'remembered', known);
        CONTINUE;
      END IF;
      INSERT INTO $schema.idempotency_keys
        VALUES (p_stream, batch.key, batch.fingerprint, log.head + 1, log.head + batch.size, batch.clock)
        ON CONFLICT (stream, key) DO UPDATE SET
          fingerprint = excluded.fingerprint, first = excluded.first, last = excluded.last, time = excluded.time;
    END IF;
    log.head := log.head + batch.size;
    shifts[batch.place] := log.head - passed;
    IF batch.size > 0 THEN
      log.last_time := greatest(log.last_time, batch.clock);
    END IF;
    times[batch.place] := log.last_time;
    IF batch.cursor IS NOT NULL THEN
      log.upstream_cursor := nullif(batch.cursor, '');
    END IF;
  END LOOP;

  WITH inserted AS (
    INSERT INTO $schema.events (stream, seq, time, event, channel, upstream_id, publisher_id, data, bytes)
    SELECT p_stream, e.place + shifts[e.batch], times[e.batch], e.event, e.channel, e.upstream_id, e.publisher_id, e.data,
      e.bytes
    FROM unnest(p_batches, p_events, p_channels, p_upstream_ids, p_publisher_ids, p_data, p_bytes)
      WITH ORDINALITY AS e (batch, event, channel, upstream_id, publisher_id, data, bytes, place)
    WHERE shifts[e.batch] IS NOT NULL
    RETURNING bytes
  )
  SELECT coalesce(sum(bytes), 0) INTO added FROM inserted;
  log.bytes := log.bytes + added;
  log.changes := log.changes + 1;
  UPDATE $schema.streams SET
      changes = log.changes, head = log.head, bytes = log.bytes, last_time = log.last_time,
      upstream_cursor = log.upstream_cursor
    WHERE id = p_stream;
  INSERT INTO $schema.writers
    VALUES (p_stream, p_writer, p_number, cardinality(p_sizes), written.start, written.exceptions, clock_timestamp())
    ON CONFLICT (stream, writer) DO UPDATE SET
      number = excluded.number, size = excluded.size, start = excluded.start, exceptions = excluded.exceptions,
      time = excluded.time;
  PERFORM pg_notify('$channel', p_stream || ' ' || log.changes);
  RETURN to_jsonb(log) || jsonb_build_object(
    'size', cardinality(p_sizes), 'start', written.start, 'exceptions', written.exceptions, 'times', times);
END $$;`;

/** Removes at most `p_limit` of the oldest events that retention does not keep. Answers with the stream's row and `removed`. */
export const trimFunction: string = `
CREATE OR REPLACE FUNCTION $schema.trim_events(
  p_stream bigint, p_epoch text,
  p_before bigint, p_events bigint, p_bytes bigint,   -- the bounds; NULL for none
  p_limit integer
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  log $schema.streams;
  cut bigint;                              -- the last event that is to go
  freed bigint;
BEGIN
  -- Without the lock: most of the time there is nothing to do, and other nodes do it too.
  SELECT * INTO log FROM $schema.streams WHERE id = p_stream;
  IF log.epoch IS DISTINCT FROM p_epoch THEN
    RETURN jsonb_build_object('epoch', log.epoch, 'removed', 0);
  END IF;
  IF (log.head - log.earliest + 1 > p_events
    OR log.bytes + ${eventOverhead} * (log.head - log.earliest + 1) > p_bytes
    OR (SELECT time FROM $schema.events WHERE stream = p_stream AND seq = log.earliest) < p_before) IS NOT TRUE
  THEN
    RETURN to_jsonb(log) || jsonb_build_object('removed', 0);
  END IF;

  SELECT * INTO log FROM $schema.streams WHERE id = p_stream AND epoch = p_epoch FOR UPDATE;
  SELECT max(oldest.seq), sum(oldest.bytes) INTO cut, freed FROM (
    SELECT *,
      log.bytes - sum(bytes) OVER (ORDER BY seq) + bytes + ${eventOverhead} * (log.head - seq + 1) AS held
    FROM (
      SELECT seq, time, bytes FROM $schema.events
      WHERE stream = p_stream AND seq >= log.earliest ORDER BY seq LIMIT p_limit
    ) first_ones
  ) oldest
  WHERE log.head - oldest.seq + 1 > p_events OR oldest.held > p_bytes OR oldest.time < p_before;
  IF cut IS NULL THEN
    RETURN to_jsonb(log) || jsonb_build_object('removed', 0);
  END IF;

  DELETE FROM $schema.events WHERE stream = p_stream AND seq BETWEEN log.earliest AND cut;
  freed := log.bytes - freed;
  p_limit := cut - log.earliest + 1;
  UPDATE $schema.streams SET earliest = cut + 1, bytes = freed, changes = changes + 1
    WHERE id = p_stream RETURNING * INTO log;
  PERFORM pg_notify('$channel', p_stream || ' ' || log.changes);
  RETURN to_jsonb(log) || jsonb_build_object('removed', p_limit);
END $$;`;

/** The number before the first event at or after a time. Stable: all of it is read in the snapshot of the statement that calls it. */
export const findTimeFunction: string = `
CREATE FUNCTION $schema.find_time(p_stream bigint, p_since bigint) RETURNS bigint STABLE LANGUAGE plpgsql AS $$
DECLARE
  low bigint;
  high bigint;
  middle bigint;
BEGIN
  SELECT earliest, head + 1 INTO low, high FROM $schema.streams WHERE id = p_stream;
  WHILE low < high LOOP
    middle := (low + high) / 2;
    IF (SELECT time FROM $schema.events WHERE stream = p_stream AND seq = middle) < p_since THEN
      low := middle + 1;
    ELSE
      high := middle;
    END IF;
  END LOOP;
  RETURN low - 1;
END $$;`;
