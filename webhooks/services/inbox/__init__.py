"""The inbox of the embedded set-up: a receiver of ours that shows what a delivery looks like when it arrives.

`box` keeps the latest requests as files under DATA_DIR, `proofs` says which of their signatures hold.
"""
