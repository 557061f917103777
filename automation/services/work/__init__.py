"""Work that waits in queues: put in, taken, worked, put back. Called by every door of automation and by its actions and duties.

A worker owns an item by a lease and takes each step by compare-and-swap; one that vanishes loses its items to the next.

    enqueuing   new items, and whether there is room for them
    taking      leases items; finds those whose worker vanished
    processing  calls the processor, writes down what came of it
    deeds       what people do to items: retry, cancel, clear the error queue
    batches     several items under one id, with `batch.*` events
    single      one item made and worked at once
    draining    a queue that is worked off by itself
    figures     depth, age, throughput, delay
    delays      `processing.delayed`, once each time
"""

from automation.services.work.batches import id_of as batch_id_of
from automation.services.work.batches import refused
from automation.services.work.batches import run as run_batch
from automation.services.work.deeds import cancel, clear_errors, requeue, requeue_failed
from automation.services.work.draining import drain, due_queues
from automation.services.work.enqueuing import Draft, enqueue, enqueue_many, find
from automation.services.work.figures import Figures, figures, figures_of
from automation.services.work.processing import process
from automation.services.work.single import run as run_single
from automation.services.work.taking import SELECTIONS, Taken, recover, take, take_this

__all__ = [
    "SELECTIONS",
    "Draft",
    "Figures",
    "Taken",
    "batch_id_of",
    "cancel",
    "clear_errors",
    "drain",
    "due_queues",
    "enqueue",
    "enqueue_many",
    "figures",
    "figures_of",
    "find",
    "process",
    "recover",
    "refused",
    "requeue",
    "requeue_failed",
    "run_batch",
    "run_single",
    "take",
    "take_this",
]
