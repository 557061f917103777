"""The statements by which due rows are found and leased. Used by `claiming`; written out, because both databases must use their indexes.

PostgreSQL leases with SKIP LOCKED; SQLite, which has one writer at a time, with the statement alone.
"""

OPEN = "{0}.status IN ('pending', 'sending', 'retrying')"
DUE = f"{OPEN.format('d')} AND d.next_attempt_at <= %(now)s AND (d.status <> 'sending' OR d.lease_until < %(now)s)"
# Of the rows with one ordering value only that of the oldest event may go, and only when no older event still waits to be routed.
IN_TURN = f"""
  AND d.batch_id IS NULL AND (d.ordering_value = '' OR (NOT EXISTS (
    SELECT 1 FROM webhooks_delivery o WHERE o.endpoint_id = d.endpoint_id AND o.ordering_value = d.ordering_value
      AND o.ordering_value <> '' AND o.event_id < d.event_id AND {OPEN.format("o")})
    AND NOT EXISTS (SELECT 1 FROM kernel_event u WHERE u.routed_at IS NULL AND u.id < d.event_id)))
"""  # noqa: S608 - no part comes from outside
# A batch whose members were all cancelled or sent again alone does not go any more.
NOT_EMPTY = f"EXISTS (SELECT 1 FROM webhooks_delivery m WHERE m.batch_id = d.id AND {OPEN.format('m')})"  # noqa: S608
# Batches of an endpoint that keeps an order wait for each other; all others only for their own next attempt.
BATCH_IN_TURN = f"""
  AND {NOT_EMPTY} AND NOT EXISTS (
    SELECT 1 FROM webhooks_batch o JOIN webhooks_endpoint k ON k.id = o.endpoint_id
    WHERE o.endpoint_id = d.endpoint_id AND k.ordering_key <> '' AND o.id < d.id AND {OPEN.format("o")})
"""  # noqa: S608

# ORDER BY … LIMIT 1 instead of EXISTS: the planner must look it up in the index of due rows, whatever its statistics say.
SINGLE = f"""(
  SELECT 1 FROM webhooks_delivery d WHERE d.endpoint_id = e.id AND {DUE} AND d.batch_id IS NULL ORDER BY d.next_attempt_at, d.id LIMIT 1)
"""  # noqa: S608
BATCH = f"(SELECT 1 FROM webhooks_batch d WHERE d.endpoint_id = e.id AND {DUE} AND {NOT_EMPTY} LIMIT 1)"  # noqa: S608
BATCH_UNDER_WAY = (
    """(SELECT 1 FROM webhooks_batch d WHERE d.endpoint_id = e.id AND d.status = 'sending' AND d.lease_until >= %(now)s LIMIT 1)"""
)
# MATERIALIZED: every look into an index is made once, and planned once.
READY = f"""
WITH seen AS MATERIALIZED (
  SELECT e.id, e.max_in_flight, e.rate_per_minute, e.breaker_open_until IS NOT NULL AS on_trial, e.batch_enabled,
    {SINGLE} IS NOT NULL AS has_due,
    {BATCH} IS NOT NULL AND {BATCH_UNDER_WAY} IS NULL AS has_batch
  FROM webhooks_endpoint e
  WHERE e.status = 'active' AND e.deleted_at IS NULL
    AND (e.rate_held_until IS NULL OR e.rate_held_until <= %(now)s)
    AND (e.breaker_open_until IS NULL OR e.breaker_open_until <= %(now)s)
), busy AS MATERIALIZED (
  SELECT endpoint_id, COUNT(*) AS n FROM webhooks_delivery WHERE status = 'sending' AND lease_until >= %(now)s GROUP BY endpoint_id
)
SELECT seen.id, max_in_flight, rate_per_minute, on_trial, COALESCE(busy.n, 0),
  has_due AND NOT batch_enabled, has_batch, has_due AND batch_enabled
FROM seen LEFT JOIN busy ON busy.endpoint_id = seen.id
WHERE has_due OR has_batch
"""  # noqa: S608

CANDIDATES = """
SELECT d.id, d.endpoint_id, d.next_attempt_at AS due_at, d.status <> 'pending' AS again, {busy} AS busy
FROM {table} d WHERE d.endpoint_id = {endpoint} AND {due} {in_turn} AND (d.status = 'pending' OR %(retries)s > 0)
ORDER BY d.next_attempt_at, d.id LIMIT {room}
"""

# How rows are picked by the keys of a sub-select; PostgreSQL takes the primary key for an array, and scans the table for IN.
AMONG = {"postgresql": "= ANY (ARRAY(SELECT id FROM {0}))", "sqlite": "IN (SELECT id FROM {0})"}

# Turn by turn: first the first row of each endpoint, then the second …, those with the fewest requests open before the others.
TAKE = """
WITH candidate AS ({candidates}),
ranked AS (
  SELECT id, due_at, again, busy + ROW_NUMBER() OVER (PARTITION BY endpoint_id ORDER BY due_at, id) AS turn FROM candidate
),
placed AS (SELECT id, due_at, again, turn, ROW_NUMBER() OVER (PARTITION BY again ORDER BY turn, due_at, id) AS place FROM ranked),
chosen AS (SELECT id FROM placed WHERE NOT again OR place <= %(retries)s ORDER BY turn, due_at, id LIMIT %(room)s),
taken AS (SELECT d.id FROM {table} d WHERE d.id {among_chosen} AND {due} {lock})
UPDATE {table} SET status = 'sending', lease_token = %(token)s, lease_until = %(until)s WHERE id {among_taken}
RETURNING id, uid, endpoint_id, {event}, attempt_count, first_attempt_number, {correlation}
"""
