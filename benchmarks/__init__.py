"""What the documents quote as numbers, each measured by one command: `manage.py bench`.

run         chooses scenarios, runs them in one installation, prints and writes
scenarios/  one file a row of the table
house       real processes on PostgreSQL and Redis, all on loopback, ended with the block
loader      a process of its own: requests by schedule (open loop), latency from the scheduled time
receiver    a process of its own: takes deliveries and notes when each came first
naive       the same deliveries as a Celery task each, for the ratio
acting      calls of actions in large numbers, and an empty Celery task each, for the ratio
deciding    a thousand rules, many schedules, a million events, and what judging them costs
ledger      what was published must be delivered, dead or pending; else the run is void
results     figures, the table and the file
machine     what the numbers were measured on, and how much others used it meanwhile
"""
