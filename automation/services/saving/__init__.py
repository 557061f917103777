"""What it takes to save a rule: checks, loops, schedules."""
