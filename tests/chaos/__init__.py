"""Real processes, struck while they work. The scenarios are plain functions: pytest runs them small, `manage.py chaos` at either scale.

scenario        findings, report, and the installation that is struck
publishing      programs and GitHub, who insist until they are answered 2xx
arrivals        what came to the receiver, and how often
blows           kill -9, FLUSHALL, a database that crashes; and whether all is normal again
ledger          every event that was accepted arrives, whatever is killed
inbound_repeat  one delivery of GitHub, twenty times at once, is one event
receiver_down   a receiver away for a while gets everything, and is not hammered
broker_away     without Redis everything is accepted, and delivered when it is back
automation      rules act while everything is killed: nothing lost, nothing twice that must not be
memory          many events later the processes are no larger
"""
