"""What holds for every test."""

import signal

# Shells start background jobs with Ctrl-C ignored, and children would inherit that: tests that
# interrupt a child would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
