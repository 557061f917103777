"""One thread per process that claims, launches, renews and records, as long as there is something to do.
Started by the duty `acts.invoke`; a nudge meanwhile wakes it."""

import contextlib
import queue
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol

from django.db import close_old_connections

from config.acts.executor import claiming, performing, recording
from config.acts.executor.claiming import LEASE_SECONDS
from config.acts.executor.results import Job, Result
from config.acts.executor.threads import Threads
from config.acts.models import Invocation
from config.acts.plugins.actions import Action, Call, actions
from config.acts.running import invocations, slots
from config.acts.running.runner import Answer, Runner
from config.kernel.desk import options
from config.kernel.flow import clock, context, leases
from config.kernel.flow.errors import TemporaryError, capture

# With the rest of what a process does this stays below twenty threads that hold a connection.
INLINE_THREADS = 8
# Inline actions that end at once are claimed ahead of the threads, so that a batch is worth its statements.
INLINE_AHEAD, SHORT_SECONDS = 64, 0.02
GATHER_SECONDS = 0.01
CHILDREN = 16
RENEW_SECONDS = 2.0
# The guardian ends children this much before their leases end.
MARGIN_SECONDS = 3.0
STAY_SECONDS = 3.0
HELD_UP_SECONDS = 0.2
# A call that has begun and finds its target taken looks again after this.
TAKEN_SECONDS = 2.0
TAKE_BACK_SECONDS = 5.0
WARM, WARM_SECONDS = 2, 60.0
# A worker that is told to stop gives its actions this long; then children are ended.
GRACE_SECONDS = 20.0


# Why a child was ended, other than that somebody wanted it.
LOST, SHUT_DOWN = "lost", "shut down"
STOPPED = {LOST: Result("lost"), SHUT_DOWN: Result("crashed", message="The worker was stopped before it ended.")}


class Pool(Protocol):
    """Where work is done; a task never raises."""

    def submit(self, task: Callable[[], None]) -> None:
        """Do it, now or soon."""

    def close(self) -> None:
        """No more tasks."""


@dataclass
class Flight:
    """A job that is under way here. `stop` says why it must end, once it must."""

    job: Job
    is_inline: bool
    stop: str = ""


class Loop:
    """The executor of this process."""

    def __init__(self, runner: Runner, *, inline: Pool | None = None, stay_seconds: float = STAY_SECONDS) -> None:
        self.runner, self.stay_seconds = runner, stay_seconds
        self.token = secrets.token_hex(16)
        self.inline: Pool = inline or Threads("inline")
        self.waiting: Pool = Threads("child")
        self.flying: dict[int, Flight] = {}
        self.landed: queue.SimpleQueue[tuple[Flight, Result] | None] = queue.SimpleQueue()
        self.renewed = self.took_back = time.monotonic()
        self.stop_at: float | None = None
        self.average = 0.0

    def wake(self) -> None:
        """There may be something new."""
        self.landed.put(None)

    def stop(self, *, grace_seconds: float = GRACE_SECONDS) -> None:
        """Claim nothing more; after the grace, end what still runs in children."""
        self.stop_at = time.monotonic() + grace_seconds
        self.wake()

    def run(self) -> None:
        """Until there is nothing to do, or it was told to stop."""
        try:
            while self._turn():
                pass
        finally:
            self.inline.close()
            self.waiting.close()
            self.runner.beat(None)

    def _turn(self) -> bool:
        """One round; False when there is nothing left."""
        pause, goes_on = 1.0, True
        with capture("executor.turn_failed") as caught:
            self._renew()
            is_held_up = self._claim() if self.stop_at is None else False
            pause, goes_on = self._pause(is_held_up)
        if caught.error:
            close_old_connections()
        if pause <= 0 and not self.flying:
            return False
        landed, is_woken = self._wait(pause)
        if landed:
            self._record(landed)
        return goes_on or is_woken or bool(self.flying or landed)

    # --- claim and launch -------------------------------------------------------------------------

    def _claim(self) -> bool:
        now = time.monotonic()
        if now - self.took_back >= TAKE_BACK_SECONDS:
            self.took_back = now
            claiming.take_back(but=set(self.flying))
        inline = sum(flight.is_inline for flight in self.flying.values())
        ahead = INLINE_AHEAD if self.average < SHORT_SECONDS else INLINE_THREADS
        claim = claiming.claim(self.token, inline_room=ahead - inline, child_room=CHILDREN - (len(self.flying) - inline))
        if claim.jobs and not self.flying:
            self.renewed = time.monotonic()
            self.runner.beat(now + LEASE_SECONDS - MARGIN_SECONDS)
        lacks: dict[tuple[str, ...], str] = {}
        for job in claim.jobs:
            self._launch(job, lacks)
        return claim.is_held_up

    def _launch(self, job: Job, lacks: dict[tuple[str, ...], str]) -> None:
        action = actions.all().get(job.action)
        flight = Flight(job, is_inline=action is not None and action.runs == "inline")
        self.flying[job.pk] = flight
        refusal = self._refusal(flight, action, lacks)
        if refusal is not None or action is None:
            self.landed.put((flight, refusal or Result("failed", code="not_found")))
        elif flight.is_inline:
            self.inline.submit(lambda: self._run_inline(flight, action))
        else:
            self.waiting.submit(lambda: self._run_child(flight))

    def _refusal(self, flight: Flight, action: Action | None, lacks: dict[tuple[str, ...], str]) -> Result | None:
        """Why it must not start, asked anew each time it starts."""
        job = flight.job
        if action is None:
            return Result("failed", code="not_found", message=f"The action {job.action} is not installed any more.")
        if job.params is None:
            return Result("failed", code="wrong_key", message="Its parameters cannot be decrypted: none of FIELD_ENCRYPTION_KEYS fits.")
        whose = (job.owner, *invocations.scopes_of(action))
        if whose not in lacks:
            lacks[whose] = invocations.lacks(job.owner, action)
        if scope := lacks[whose]:
            return Result("refused", code="owner_may_not", message=f"owner may not: {job.owner} lacks {scope}.")
        return self._take_target(flight)

    def _take_target(self, flight: Flight) -> Result | None:
        job = flight.job
        if not job.target:
            return None
        name = f"target:{job.target}"
        held = leases.acquire(name, seconds=LEASE_SECONDS, holder=f"invocation:{job.uid}")
        if held is None:
            holder = leases.holder(name)
            # Whoever called may hold the target for longer than for this call.
            if holder == job.caller:
                return None
            if job.state:
                # It has begun: to refuse it now would claim that nothing was done.
                return Result("waiting", state=job.state, resume_at=clock.text(clock.now() + timedelta(seconds=TAKEN_SECONDS)))
            message = f"{job.target} is being worked on by {holder or 'somebody else'}. Ask again when that has ended."
            return Result("taken", code="target_taken", message=message)
        flight.job = replace(job, target_lease=held)
        return None

    # --- run --------------------------------------------------------------------------------------

    def _run_inline(self, flight: Flight, action: Action) -> None:
        began = time.monotonic()
        job, result = flight.job, Result("crashed", message="The call could not be made; the log of the worker says why.")
        limits = performing.statements_end_after(job.timeout_seconds)
        with capture("action.not_run", invocation=job.uid), context.using(**_context(job)), limits:
            result = performing.perform(action, job.params or {}, _call(job), is_undo=job.is_undo)
        self.landed.put((flight, replace(result, seconds=time.monotonic() - began)))

    def _run_child(self, flight: Flight) -> None:
        job, result = flight.job, Result("temporary", code="no_runner", message="No process could be started for it; see the worker's log.")
        with capture("action.not_run", invocation=job.uid):
            result = self._through_runner(flight)
        self.landed.put((flight, result))

    def _through_runner(self, flight: Flight) -> Result:
        job = flight.job
        words = {
            "action": job.action,
            "params": job.params,
            "call": _call(job).__dict__,
            "context": _context(job),
            "is_undo": job.is_undo,
            "memory_bytes": options.get("ACTION_MEMORY_BYTES"),
        }
        try:
            answer = self.runner.run(words, seconds=job.timeout_seconds, must_stop=lambda: flight.stop)
        except TemporaryError as error:
            return Result("temporary", code=error.code, message=error.message)
        return replace(self._result(flight, answer), log=answer.log, seconds=answer.seconds)

    def _result(self, flight: Flight, answer: Answer) -> Result:
        if answer.kind == "answered":
            return Result(**(answer.body or {}))
        if answer.kind == "timeout":
            return Result("timeout", code="timeout", message=f"Stopped after {flight.job.timeout_seconds:g} s.")
        if answer.kind == "loud":
            return Result("failed", code="resource_limit", message="It printed more than 8 MB and was stopped.")
        if answer.kind == "cancelled":
            return STOPPED.get(flight.stop) or Result("cancelled", message=flight.stop)
        return Result("crashed", message="The process that ran it ended before it answered.")

    # --- keep and end -----------------------------------------------------------------------------

    def _renew(self) -> None:
        """What is under way stays ours; what is not ours any more, or is to be cancelled, is stopped."""
        if self.stop_at is not None and time.monotonic() > self.stop_at:
            self._stop_all(SHUT_DOWN)
        if time.monotonic() - self.renewed < RENEW_SECONDS:
            return
        began = self.renewed = time.monotonic()
        self.runner.retire(but=WARM, idle_seconds=WARM_SECONDS)
        if not self.flying:
            return
        now = clock.now()
        mine = Invocation.objects.filter(pk__in=list(self.flying), lease_token=self.token, status="running", lease_until__gt=now)
        asked = {pk: (at, why) for pk, at, why in mine.values_list("pk", "cancel_asked_at", "error_message")}
        mine.update(lease_until=now + timedelta(seconds=LEASE_SECONDS))
        kept = {slot.pk for slot in slots.renew([flight.job.slot for flight in self.flying.values()], seconds=LEASE_SECONDS)}
        for pk, flight in self.flying.items():
            held = flight.job.target_lease
            if pk not in asked or flight.job.slot.pk not in kept or (held is not None and not leases.renew(held, seconds=LEASE_SECONDS)):
                flight.stop = LOST
            elif asked[pk][0] is not None:
                flight.stop = asked[pk][1] or "It was cancelled."
        self.runner.beat(began + LEASE_SECONDS - MARGIN_SECONDS)

    def _stop_all(self, why: str) -> None:
        for flight in self.flying.values():
            flight.stop = flight.stop or why
        if not any(not flight.is_inline for flight in self.flying.values()):
            self.flying.clear()  # a thread cannot be stopped; its lease runs out

    def _pause(self, is_held_up: bool) -> tuple[float, bool]:
        """How long to wait for something to land, and whether to go on when nothing does."""
        if self.flying:
            return HELD_UP_SECONDS if is_held_up else RENEW_SECONDS / 2, True
        if self.stop_at is not None:
            return 0.0, False
        if is_held_up:
            return HELD_UP_SECONDS, True
        if self.stay_seconds <= 0:
            return 0.0, False
        now = clock.now()
        soon = claiming.next_due_at(now, within_seconds=self.stay_seconds)
        return (max(0.01, (soon - now).total_seconds()), True) if soon else (self.stay_seconds, False)

    def _wait(self, seconds: float) -> tuple[list[tuple[Flight, Result]], bool]:
        """What landed, and whether somebody woke us."""
        found: list[tuple[Flight, Result] | None] = []
        with contextlib.suppress(queue.Empty):
            found.append(self.landed.get(timeout=seconds))
            # What takes next to no time comes in crowds; a statement for each would cost more than the work.
            end = time.monotonic() + GATHER_SECONDS
            while len(found) < len(self.flying) and self.average < SHORT_SECONDS:
                found.append(self.landed.get(timeout=max(0.0, end - time.monotonic())))
            while True:
                found.append(self.landed.get_nowait())
        return [one for one in found if one is not None], None in found

    def _record(self, landed: list[tuple[Flight, Result]]) -> None:
        ended: list[tuple[Job, Result]] = []
        for flight, result in landed:
            if self.flying.pop(flight.job.pk, None) is not None:
                ended.append((flight.job, result))
            if flight.is_inline:
                self.average += (result.seconds - self.average) / 16
        with capture("executor.record_failed", count=len(ended)) as caught:
            recording.record(ended, token=self.token)
        if caught.error:
            close_old_connections()
            for one in ended:  # one bad row steps aside: its lease runs out
                with capture("executor.row_failed", invocation=one[0].uid):
                    recording.record([one], token=self.token)


def _call(job: Job) -> Call:
    return Call(id=job.uid, key=job.key, owner=job.owner, caller=job.caller, attempt=job.attempt, state=job.state, output=job.output)


def _context(job: Job) -> dict[str, Any]:
    return {"correlation_id": job.correlation_id, "actor": job.owner, "cause_uid": job.cause_uid, "hops": job.hops}
