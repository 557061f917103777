"""Room for so many at once, over all processes: exact, crash-safe, and changeable while things run."""

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connections, transaction

from config.acts.models import Slot
from config.acts.running import slots
from config.kernel.flow import clock


def numbers(found):
    return [slot.number for slot in found]


@pytest.mark.django_db
def test_never_more_are_given_than_the_limit():
    first = slots.take("p", 3, 2, held_for=["a", "b"])
    assert (numbers(first), numbers(slots.take("p", 3, 5, held_for="c")), slots.take("p", 3, 1)) == ([0, 1], [2], [])
    assert [(slot.number, slot.held_for) for slot in slots.holders("p")] == [(0, "a"), (1, "b"), (2, "c")]
    assert numbers(slots.take("another", 1, 1)) == [0]
    slots.release(first)
    assert numbers(slots.take("p", 3, 5)) == [0, 1]


@pytest.mark.django_db
def test_a_limit_that_falls_gives_nothing_until_enough_came_back():
    held = slots.take("p", 5, 5)
    assert slots.take("p", 2, 1) == []
    slots.release(held[:3])  # 0, 1 and 2: two are still held, above the new limit
    assert slots.take("p", 2, 1) == []
    slots.release(held[3:4])
    assert len(slots.take("p", 2, 5)) == 1


@pytest.mark.django_db
def test_a_limit_that_grows_gives_more():
    slots.take("p", 1, 1)
    assert numbers(slots.take("p", 3, 9)) == [1, 2]


@pytest.mark.django_db
def test_who_was_killed_leaks_nothing_and_who_comes_late_has_lost_it():
    held = slots.take("p", 2, 2)
    assert len(slots.renew(held)) == 2
    Slot.objects.filter(number=0).update(until=clock.now() - timedelta(seconds=1))
    assert numbers(slots.renew(held)) == [1]
    [taken] = slots.take("p", 2, 2)
    assert taken.number == 0
    slots.release(held)
    assert numbers(slots.holders("p")) == [0], "what somebody else holds now is not given back"


@pytest.mark.django_db(transaction=True)
def test_many_that_take_at_once_never_get_more_than_the_limit_together():
    got, start = [], threading.Barrier(6)

    def take():
        start.wait()
        got.extend(slots.take("p", 4, 2))
        connections.close_all()

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers(got)) == [0, 1, 2, 3]


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_who_gives_back_and_who_takes_never_wait_for_each_other():
    held = slots.take("p", 2, 2)
    Slot.objects.filter(number=0).update(held_for="lies behind the other by now")
    raised, is_begun = [], threading.Event()

    def give_back():
        try:
            is_begun.set()
            slots.release(held)
        except OperationalError as error:
            raised.append(error)
        finally:
            connections.close_all()

    with transaction.atomic():
        list(Slot.objects.select_for_update().filter(pool="p", number=0))
        other = threading.Thread(target=give_back)
        other.start()
        is_begun.wait(10)
        other.join(0.3)  # it waits for the first by now, and must not hold the second
        list(Slot.objects.select_for_update(nowait=True).filter(pool="p", number=1))
    other.join(20)
    assert (raised, slots.holders("p")) == ([], [])
