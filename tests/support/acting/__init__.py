"""A Django app of a third party: actions of every temper. In the test settings, and by STEWARD_APPS in journeys.

noop, echo, write        what goes well
sleep, busy, stubborn    what takes too long, willingly or not
hog, loud                what wants too much
fail, flaky, crash       what goes wrong
wait, undoable, critical what goes on later, can be taken back, needs more rights
"""
