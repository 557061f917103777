"""Events in from outside, events out to outside."""
