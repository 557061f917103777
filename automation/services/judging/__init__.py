"""Rules judged: on events, on samples, at moments, and on trial."""
