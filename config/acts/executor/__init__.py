"""Works off invocations: claims what is due, has it run, records what came of it, until nothing is left. Run as the duty `acts.invoke`.

loop        one thread per process: claim, launch, renew, record
claiming    leases rows and slots in one transaction; run-out leases
performing  calls the action and turns whatever it does into a Result
judging     Result → the row's next state
recording   writes a batch of ends
threads     where `inline` actions run; `child` ones run in processes of `running.runner`
"""
