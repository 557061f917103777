"""The duties of automation, one file per subject."""
